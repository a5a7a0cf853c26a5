# SPDX-License-Identifier: Apache-2.0
"""What many episodes say: rates with intervals, as JSON, as a table and as a figure."""

import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embodied.episode import EpisodeResult
from embodied.files import replacing
from embodied.noticing import noticed

if TYPE_CHECKING:
    from rich.console import Console

Row = dict[str, Any]
ALL = "all"
"""What the rows are called in which the episodes of all tasks are counted together."""


def wilson(successes: int, episodes: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a success rate, 95 % for the default z.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927), 209-212.
    """
    assert 0 <= successes <= episodes and episodes > 0, (successes, episodes)
    rate, spread = successes / episodes, z * z / episodes
    centre = (rate + spread / 2) / (1 + spread)
    half = math.sqrt(rate * (1 - rate) * spread + spread * spread / 4) / (1 + spread)
    # Rounding must not push a bound of 0 or 1 past the rate.
    return min(max(0.0, centre - half), rate), max(min(1.0, centre + half), rate)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of `values` lie, by linear interpolation; NaN of nothing."""
    return float(np.percentile(values, percent)) if values else math.nan


def summarise(results: Iterable[EpisodeResult], order: Sequence[tuple[str, str]]) -> list[Row]:
    """One row for each (task, split) of `order` that has results; of several tasks also one for each split of ALL.

    A row has `success`, `wrong` and `refused` as shares of its `episodes`, each with its interval. `wrong` is None
    where there is an episode of which nobody has judged that.
    """
    groups: dict[tuple[str, str], list[EpisodeResult]] = {}
    for result in results:
        groups.setdefault((result.task, result.split), []).append(result)
    found = {key: groups[key] for key in order if key in groups}
    rows = [_summary(task, group) for (task, _), group in found.items()]
    if len({task for task, _ in found}) > 1:
        for each in dict.fromkeys(split for _, split in found):
            rows.append(_summary(ALL, [result for key in found if key[1] == each for result in found[key]]))
    return rows


def _summary(task: str, group: Sequence[EpisodeResult]) -> Row:
    successes = sum(result.success for result in group)
    decisions = [value for result in group for value in result.decision_ms]
    row: Row = {
        "task": task,
        "split": group[0].split,
        "episodes": len(group),
        "successes": successes,
        "success": successes / len(group),
        "ci95": list(wilson(successes, len(group))),
        **_share("wrong", [result.wrong for result in group]),
        **_share("refused", [result.refused for result in group]),
        "score_mean": statistics.fmean(result.score for result in group),
        "steps_mean": statistics.fmean(result.steps for result in group),
        "decision_ms": {f"p{p}": percentile(decisions, p) if decisions else None for p in (50, 95)},
    }
    originals = [result.original_success for result in group if result.original_success is not None]
    if originals:
        row["original_success"] = sum(originals) / len(originals)
    for name in ("early", "late"):
        if (share := _share(name, [getattr(result, name) for result in group]))[name] is not None:
            row |= share
    if (steps := noticed(step for result in group for step in result.noticed)) is not None:
        row["noticed"] = steps
    return row


def _share(name: str, told: Sequence[bool | None]) -> Row:
    """The share of the episodes that were so, with its interval; None for both where that is not known of all."""
    known = [each for each in told if each is not None]
    if len(known) < len(told):
        return {name: None, f"{name}_ci95": None}
    return {name: sum(known) / len(known), f"{name}_ci95": list(wilson(sum(known), len(known)))}


def cells(row: Row) -> list[str]:
    """Success, wrong and refused of a row in per cent, each with its interval; "-" for what was not judged."""
    bounds = {"success": "ci95", "wrong": "wrong_ci95", "refused": "refused_ci95"}
    return [percent(row[name], row[ci95]) if row.get(name) is not None else "-" for name, ci95 in bounds.items()]


def percent(share: float, ci95: Sequence[float]) -> str:
    """A share from 0 to 1 with its interval, as "99.8 [99, 100]" in per cent."""
    low, high = ci95
    return f"{100 * share:.3g} [{100 * low:.0f}, {100 * high:.0f}]"


def console() -> "Console":
    """Standard output for tables, as wide as the terminal, or 130 columns where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 130, highlight=False)


def print_table(rows: Sequence[Row], title: str) -> None:
    """The rows as a table on standard output: per cent, with 95 % intervals in brackets."""
    from rich.table import Table

    table = Table(title=title)
    for name in ("task", "split"):
        table.add_column(name, no_wrap=True)
    for name in ("episodes", "success, %", "wrong, %", "refused, %", "score", "steps", "decision p50 / p95 ms"):
        table.add_column(name, justify="right")
    last = None
    for row in rows:
        if last not in (None, row["task"]):
            table.add_section()
        decision = row["decision_ms"]
        table.add_row(
            row["task"] if row["task"] != last else "",
            row["split"],
            str(row["episodes"]),
            *cells(row),
            f"{row['score_mean']:.2f}",
            f"{row['steps_mean']:.1f}",
            "-" if decision["p50"] is None else f"{decision['p50']:.1f} / {decision['p95']:.1f}",
        )
        last = row["task"]
    console().print(table)


def ending_of(row: Row) -> str:
    """What a row tells of steps that came to nothing, and of when it was said to be done; empty where of neither."""
    told, steps = list[str](), row.get("noticed")
    if steps is not None and steps["failed"]:
        right = "" if steps["balanced_accuracy"] is None else f", balanced accuracy {steps['balanced_accuracy']:.3f}"
        told += [
            f"{steps['failed']} of {steps['steps']} steps came to nothing, {steps['failed_and_noticed']} of them were "
            f"noticed; {steps['false_alarms']} others were taken for failures{right}, F1 {steps['f1']:.3f}"
        ]
    for name, words in (("early", "done was said too early"), ("late", "something moved after the success")):
        if row.get(name) is not None:
            told += [f"{words}: {percent(row[name], row[f'{name}_ci95'])} %"]
    return "; ".join(told)


def draw_figure(rows: Sequence[Row], path: Path, title: str) -> None:
    """A bar for each task and split, with its interval, as a PNG. Needs matplotlib."""
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(row["task"] for row in rows))
    splits = list(dict.fromkeys(row["split"] for row in rows))
    figure = Figure(figsize=(max(5.0, 1.6 * len(tasks) + 2), 4.0), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(splits)
    for column, split in enumerate(splits):
        shown = [row for row in rows if row["split"] == split]
        at = [tasks.index(row["task"]) + (column - (len(splits) - 1) / 2) * width for row in shown]
        rates = np.array([100 * row["success"] for row in shown])
        low, high = np.array([row["ci95"] for row in shown]).T * 100
        bounds = np.maximum([rates - low, high - rates], 0.0)
        axes.bar(at, rates, 0.92 * width, yerr=bounds, label=split, error_kw={"capsize": 2, "linewidth": 1})
    axes.set_xticks(range(len(tasks)), [task.replace("_", " ") for task in tasks])
    axes.set(ylim=(0, 105), ylabel="success, % (95 % Wilson interval)")
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(ncols=len(splits), fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.1))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        figure.savefig(part, format="png", dpi=150)
