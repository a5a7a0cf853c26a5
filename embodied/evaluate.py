# SPDX-License-Identifier: Apache-2.0
"""`embodied eval`: many episodes of a policy, on all cores, reported with intervals.

Results are kept as they come (JSONL beside `out`), so that a crash or Ctrl-C loses nothing and
`resume=true` goes on from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from embodied.config import ConfigError, parse
from embodied.errors import EmbodiedError
from embodied.eval_options import EXAMPLE, EvalOptions, check
from embodied.versions import cores


def main(arguments: Sequence[str]) -> int:
    """Run the evaluation that `arguments` describe; 0 when every episode ran, 1 when it was cut short."""
    options = parse(EvalOptions, arguments, command="embodied eval", example=EXAMPLE)
    pairs = check(options)
    run = Run(options, pairs)
    whole = run.collect()
    if not run.results:
        raise EmbodiedError("no episode was finished")
    run.report(whole)
    return 0 if whole else 1


class Run:
    """One evaluation: what is still to do, what has come of the rest."""

    def __init__(self, options: EvalOptions, pairs: list[tuple[str, str]]) -> None:
        from embodied.rollout import EpisodeResult

        self.options = options
        self.pairs = pairs
        self.out = Path(options.out)
        self.journal = self.out.with_suffix(".jsonl")
        self.results: list[EpisodeResult] = []
        self._began_s = time.monotonic()
        if options.resume and self.journal.exists():
            self.results = self._read_journal()

    def collect(self) -> bool:
        """Run what is missing; whether all of it ran. Ctrl-C ends it early and keeps what there is."""
        from embodied.progress import progress_bar
        from embodied.workers import run_jobs

        self._start_journal()
        done = {(result.task, result.split, result.seed) for result in self.results}
        seeds = range(self.options.seed, self.options.seed + self.options.episodes)
        missing = [(*pair, seed) for pair in self.pairs for seed in seeds if (*pair, seed) not in done]
        with (
            self.journal.open("a", encoding="utf-8") as journal,
            progress_bar("episodes", len(done) + len(missing), completed=len(done)) as advance,
        ):
            try:
                for result in run_jobs(self.options, missing):
                    journal.write(json.dumps(asdict(result)) + "\n")
                    journal.flush()
                    self.results.append(result)
                    advance(1)
            except KeyboardInterrupt:
                return False
        return True

    def report(self, whole: bool) -> None:
        """Write JSON and figure, print the table."""
        from embodied.report import draw_figure, print_table, summarise, write_json
        from embodied.versions import versions

        options = self.options
        rows = summarise(self.results, self.pairs)
        content = {
            "suite": options.suite,
            "policy": options.policy,
            "seed": options.seed,
            "protocol": self._protocol(whole),
            "versions": versions(),
            "results": rows,
        }
        write_json(self.out, content)
        title = f"{options.policy}, {options.action_mode} mode, seeds from {options.seed}"
        title += "" if whole else " (cut short)"
        print_table(rows, title)
        print(f"wrote {self.out} and {self.journal}")
        try:
            draw_figure(rows, self.out.with_suffix(".png"), title)
            print(f"drew {self.out.with_suffix('.png')}")
        except ModuleNotFoundError as error:
            print(f"drew no figure: it needs {error.name} (pip install {error.name})")
        if not whole:
            print("cut short: the same command with resume=true goes on from here")

    def _protocol(self, whole: bool) -> dict[str, Any]:
        return self._identity() | {
            "episodes": self.options.episodes,
            "workers": self.options.workers or cores(),
            "complete": whole,
            "wall_s": round(time.monotonic() - self._began_s, 1),
        }

    def _identity(self) -> dict[str, Any]:
        """What two runs must share for their episodes to be added up."""
        return {
            "policy": self.options.policy,
            "options": dict(self.options.options),
            "action_mode": self.options.action_mode,
            "execution": "ros graph" if self.options.ros else "physics",
            "first_seed": self.options.seed,
        }

    def _start_journal(self) -> None:
        """Write what is kept of an earlier run, without a line that was cut off; or nothing but a head."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        lines = [self._identity(), *(asdict(result) for result in self.results)]
        part = self.journal.with_name(self.journal.name + ".part")
        part.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        part.replace(self.journal)

    def _read_journal(self) -> list[Any]:
        from embodied.rollout import EpisodeResult

        lines = list(_whole_lines(self.journal))
        if not lines or lines[0] != self._identity():
            raise ConfigError(f"resume=true: {self.journal} is of another run; choose another out=")
        wanted = set(self.pairs)
        seeds = range(self.options.seed, self.options.seed + self.options.episodes)
        found = (EpisodeResult(**line) for line in lines[1:])
        return [r for r in found if (r.task, r.split) in wanted and r.seed in seeds]


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a file; a last line that was cut off is left out."""
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return
