# SPDX-License-Identifier: Apache-2.0
"""What the trials say: for each fault how many went as they should, with an interval, and how long things took."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from embodied.report import console, percentile, wilson

Row = dict[str, Any]
_SHARE = "share_"


def summarise(trials: Sequence[Mapping[str, Any]], order: Sequence[tuple[str, str]]) -> list[Row]:
    """One row for each (family, fault) of `order` that was tried."""
    rows = []
    for family, fault in order:
        group = [trial for trial in trials if (trial["family"], trial["fault"]) == (family, fault)]
        if not group:
            continue
        names = dict.fromkeys(name for trial in group for name in trial["values"])
        values = {name: [trial["values"][name] for trial in group if name in trial["values"]] for name in names}
        good = sum(trial["ok"] for trial in group)
        rows.append(
            {
                "family": family,
                "fault": fault,
                "trials": len(group),
                "good": good,
                "ci95": list(wilson(good, len(group))),
                "broken_checks": dict(Counter(c for t in group for c, held in t["checks"].items() if not held)),
                "values": {
                    name: {"p50": percentile(found, 50), "p99": percentile(found, 99), "worst": max(found)}
                    for name, found in values.items()
                    if not name.startswith((_SHARE, "success"))
                },
                **_paired(group, [trial for trial in trials if trial["family"] == family]),
                "limits": {name.removeprefix(_SHARE): max(values[name]) for name in names if name.startswith(_SHARE)},
            }
        )
    return rows


def _paired(group: Sequence[Mapping[str, Any]], family: Sequence[Mapping[str, Any]]) -> Row:
    """Successes, and how many more scenes fail than without the fault (`0%`), of those that both have tried."""
    if "success" not in group[0]["values"]:
        return {}
    usual = {trial["number"]: trial["values"].get("success", 0.0) for trial in family if trial["fault"] == "0%"}
    worse = [
        usual[trial["number"]] - trial["values"].get("success", 0.0) for trial in group if trial["number"] in usual
    ]
    found: Row = {"successes": int(sum(trial["values"].get("success", 0.0) for trial in group))}
    return found | ({"more_failures": int(sum(worse))} if worse else {})


def print_report(rows: Sequence[Row], trials: Sequence[Mapping[str, Any]]) -> None:
    """The table on standard output, and a line for each trial that went wrong."""
    from rich.table import Table

    table = Table()
    for name in _HEAD:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*_cells(row))
    console().print(table)
    for trial in trials:
        if not trial["ok"]:
            wrong = ", ".join(name for name, held in trial["checks"].items() if not held)
            print(f"{trial['family']}.{trial['fault']} {trial['number']}: not {wrong}. {trial['note'][:300]}")


def markdown(report: Mapping[str, Any]) -> str:
    """The table of a report, as a page shows it."""
    lines = [f"| {' | '.join(_HEAD)} |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in report["results"]]
    asked, cores = report["protocol"], report["protocol"]["cores"]
    return "\n".join([f"Policy {asked['policy']}, seeds from {asked['seed']}, {cores} cores.", "", *lines])


_HEAD = ("fault", "as it should, 95 %", "times p50 / p99", "worst share of a limit", "not held")


def _cells(row: Mapping[str, Any]) -> list[str]:
    low, high = (100 * bound for bound in row["ci95"])
    values = [f"{name} {numbers['p50']:.4g} / {numbers['p99']:.4g}" for name, numbers in row["values"].items()]
    values += [f"{name} {row[name]}" for name in ("successes", "more_failures") if name in row]
    limits = [f"{name} {share:.2f}" for name, share in row["limits"].items()]
    broken = [f"{name} {count}" for name, count in row["broken_checks"].items()]
    good = f"{row['good']} of {row['trials']} ({low:.1f} to {high:.1f})"
    return [f"{row['family']} {row['fault']}", good, ", ".join(values), ", ".join(limits), ", ".join(broken)]
