# SPDX-License-Identifier: Apache-2.0
"""Hurt a graph that is started for it and judge what the arm is told: kills, hangs, bad cameras, lost messages."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from embodied.config import ConfigError, check_json_name, option, parse
from embodied.errors import EmbodiedError, check_name

EXAMPLE = "embodied faults only=kill,hang trials=5 out=runs/faults.json"
DOCS_BEGIN, DOCS_END = "<!-- faults: begin -->", "<!-- faults: end -->"


@dataclass
class FaultsOptions:
    """Hurt a graph that is started for it, and judge what the arm is told and does."""

    only: list[str] = option([], "only these families, or faults as kill.gate; with commas between them")
    trials: int = option(0, "trials of each fault; 0: as many as are worth it")
    policy: str = option("palme", "what decides")
    seed: int = option(1_000_000, "seed of the first scene")
    short: bool = option(False, "a few trials of each fault, for every change")
    out: str = option("runs/faults.json", "the JSON; trials (.jsonl) and what the nodes print (.log) go beside it")
    table: str = option("", "run nothing: write the table of this JSON into `page`")
    page: str = option("docs/reliability.md", "with table=: the page, which holds the two marks")


def main(arguments: Sequence[str]) -> int:
    """Run the faults that `arguments` name; 0 when every trial went as it should."""
    options = parse(FaultsOptions, arguments, command="embodied faults", example=EXAMPLE)
    if options.table:
        return _write_table(Path(options.table), Path(options.page))
    if options.trials < 0 or options.seed < 0:
        raise ConfigError("trials and seed must be 0 or more")
    check_json_name(options.out)
    from embodied.files import check_writable

    check_writable(Path(options.out))
    run = Run(options)
    whole = run.collect()
    return 0 if run.report(whole) and whole else 1


def _write_table(source: Path, page: Path) -> int:
    from embodied.files import read_text, write_text
    from nodes.faults.report import markdown

    try:
        report = json.loads(read_text(source, "faults", most_bytes=2**26))
        rows = markdown(report)
    except (ValueError, KeyError, TypeError):
        raise EmbodiedError(f"{source} is no report of `embodied faults`") from None
    text = read_text(page, "page", most_bytes=2**22)
    head, begin, rest = text.partition(DOCS_BEGIN)
    _, end, tail = rest.partition(DOCS_END)
    if not (begin and end):
        raise EmbodiedError(f"{page} has no place for the table: it needs {DOCS_BEGIN} and {DOCS_END}")
    write_text(page, f"{head}{begin}\n{rows}\n{end}{tail}")
    print(f"wrote the table into {page}")
    return 0


class Run:
    """One run: what is still to do, and what came of the rest."""

    def __init__(self, options: FaultsOptions) -> None:
        from nodes.faults.catalogue import FAULTS

        self.options = options
        self.out, self.journal = Path(options.out), Path(options.out).with_suffix(".jsonl")
        valid = {name for fault in FAULTS for name in (fault.family, f"{fault.family}.{fault.name}")}
        for name in options.only:
            check_name("fault", name, valid)
        wanted = [
            fault
            for fault in FAULTS
            if not options.only or {fault.family, f"{fault.family}.{fault.name}"} & set(options.only)
        ]
        self.jobs = [
            (fault, number)
            for fault in wanted
            for number in range(options.trials or (fault.brief if options.short else fault.trials))
        ]
        if not self.jobs:
            raise ConfigError("nothing is left to run; the short form leaves some faults out")
        self.trials: list[dict[str, Any]] = self._read_journal()

    def _identity(self) -> dict[str, Any]:
        return {"policy": self.options.policy, "seed": self.options.seed}

    def _read_journal(self) -> list[dict[str, Any]]:
        """The trials of a run that was cut off. Raises ConfigError where they are of another command."""
        if not self.journal.exists():
            return []
        lines = []
        for line in self.journal.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                break  # it was cut in the middle of this one
        if not lines:
            return []
        if lines[0] != self._identity():
            raise ConfigError(
                f"{self.journal} holds trials of {lines[0]}, not of {self._identity()}: choose another out="
            )
        return lines[1:]

    def collect(self) -> bool:
        """Run what is missing; whether all of it ran. Ctrl-C ends it early and keeps what there is."""
        from embodied.files import write_text, writing
        from embodied.processes import progress_bar

        lines = [self._identity(), *self.trials]
        write_text(self.journal, "".join(json.dumps(line) + "\n" for line in lines))
        done = {(trial["family"], trial["fault"], trial["number"]) for trial in self.trials}
        missing = [job for job in self.jobs if (job[0].family, job[0].name, job[1]) not in done]
        kept = len(self.jobs) - len(missing)
        with (
            self.journal.open("a", encoding="utf-8") as journal,
            progress_bar("trials", len(self.jobs), completed=kept) as advance,
            suppress(KeyboardInterrupt),
            # Closed whatever happens: the graph ends with it.
            closing(self._run(missing)) as found,
        ):
            for trial in found:
                with writing(self.journal):
                    journal.write(json.dumps(trial) + "\n")
                    journal.flush()
                self.trials.append(trial)
                advance(1)
            return True
        return False

    def _run(self, jobs: Sequence[tuple[Any, int]]) -> Generator[dict[str, Any], None, None]:
        """Trials of one graph follow each other in it; where one leaves it broken, the next gets a new one."""
        for (relayed, rate), group in groupby(jobs, key=lambda job: (job[0].relayed, job[0].rate)):
            stack = ExitStack()
            bench: Any = None
            try:
                for fault, number in group:
                    if bench is None:
                        bench = self._bench(stack, relayed, rate)
                    trial = self._try(bench, fault, number)
                    yield trial
                    if trial["broken"]:
                        stack.close()
                        stack, bench = ExitStack(), None
            finally:
                stack.close()

    def _bench(self, stack: ExitStack, relayed: bool, rate: float) -> Any:
        from nodes.faults.graph import Graph
        from nodes.faults.trial import Bench
        from nodes.faults.watch import Watch

        log = self.out.with_suffix(".log")
        graph = stack.enter_context(Graph(policy=self.options.policy, rate=rate, relayed=relayed, log=log))
        watch = stack.enter_context(Watch(graph.domain, relayed=relayed))
        bench = Bench(graph, watch, self.options.seed)
        bench.wait_ready()
        return bench

    def _try(self, bench: Any, fault: Any, number: int) -> dict[str, Any]:
        from nodes.faults.trial import Found, judge_limits, now_s

        began_s, broken = now_s(), False
        try:
            bench.release()
            bench.watch.forget()
            found = fault.run(bench, number)
        except EmbodiedError as error:
            found, broken = Found(checks={"ran": False}, note=str(error)), True
        judged = judge_limits(bench.watch)
        values = found.values | judged.values
        never = [name for name, value in values.items() if not math.isfinite(value)]
        note = "; ".join(filter(None, (found.note, judged.note, f"never: {', '.join(never)}" if never else "")))
        return {
            "family": fault.family,
            "fault": fault.name,
            "number": number,
            "ok": all((found.checks | judged.checks).values()),
            "checks": found.checks | judged.checks,
            "values": {name: value for name, value in values.items() if name not in never},
            "note": note,
            "broken": broken,
            "took_s": round(now_s() - began_s, 1),
        }

    def report(self, whole: bool) -> bool:
        """Write the JSON and print the table; whether all went as it should."""
        from embodied.files import write_json
        from embodied.versions import cores, versions
        from nodes.faults.report import print_report, summarise

        order = list(dict.fromkeys((fault.family, fault.name) for fault, _ in self.jobs))
        trials = [trial for trial in self.trials if (trial["family"], trial["fault"]) in order]
        rows = summarise(trials, order)
        protocol = asdict(self.options) | {"complete": whole, "cores": cores()}
        write_json(self.out, {"protocol": protocol, "versions": versions(), "results": rows, "trials": trials})
        print_report(rows, trials)
        print(f"wrote {self.out}" + ("" if whole else "; cut short: the same command goes on from here"))
        return all(trial["ok"] for trial in trials)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
