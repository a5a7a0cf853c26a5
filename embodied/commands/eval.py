# SPDX-License-Identifier: Apache-2.0
"""Measure a policy: what succeeds, goes wrong and is refused, with 95 % intervals.

Results are kept as they come (JSONL beside `out`), so that a crash or Ctrl-C loses nothing and
`resume=true` goes on from there.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from embodied import environments
from embodied.arm import DEFAULT_ARM, arm_model
from embodied.config import ConfigError, check_json_name, option, parse
from embodied.controls import CONTROLS, Policies, check_splits
from embodied.environments import DEFAULT_SUITE, SPLITS, TASK_SPLITS, appearing, suite_tasks
from embodied.episode import UNTIL, EpisodeResult, run_episode
from embodied.errors import EmbodiedError, check_name
from embodied.files import check_writable, write_json, write_text, writing
from embodied.foreign import RAW, SpokenEnv, check_id, read_words
from embodied.motion.actions import ACTION_MODES, every_skill
from embodied.policy import POLICIES, senses_of
from embodied.processes import progress_bar, run_in_order
from embodied.registry import Registry
from embodied.report import draw_figure, ending_of, print_table, summarise
from embodied.versions import cores, versions

EXAMPLE = "embodied eval policy=palme suite=tabletop episodes=100 seed=1000000 out=runs/eval.json"
EPISODES_PER_BATCH = 5

RUNNERS: Registry[Callable[..., AbstractContextManager[Any]]] = Registry("runner", group="embodied.runners")
"""Where else than in this process to run episodes: contexts whose run_episode(task, split, seed) does it."""

Job = tuple[str, str, int]
"""(task, split, seed)."""


@dataclass
class EvalOptions:
    """Measure a policy: what succeeds, goes wrong and is refused, as table, JSON and figure."""

    policy: str = option("palme", "policy by name (see `embodied tasks`) or module:Class")
    arm: str = option(DEFAULT_ARM, "arm by name (see `embodied tasks`), or the YAML file of one")
    suite: str = option(DEFAULT_SUITE, "which tasks")
    task: list[str] = option([], "only these tasks, with commas between them")
    split: list[str] = option(
        list(SPLITS), "also the controls no_language, swapped, no_vision, other_image, first_image"
    )
    episodes: int = option(100, "episodes for each task and split")
    seed: int = option(0, "seed of the first episode; training never sees 1000000 and up")
    action_mode: str = option("skill", "skill, ee_delta or joint: how the policy moves the arm")
    appearance: str = option("", "what pictures look like, as table:black,light:dim,camera:20deg,clutter,noise,blur")
    until: str = option("success", "success: the simulator ends an episode; done: the policy says so itself")
    out: str = option("runs/eval.json", "the JSON; episodes (.jsonl) and figure (.png) go beside it")
    resume: bool = option(False, "go on with the episodes that an interrupted run has left beside `out`")
    disturbance: str = option("", "what goes wrong after the first motion: moved (a thing that is needed) or slips")
    workers: int = option(0, "processes; 0 is one for each core")
    options: dict[str, Any] = option({}, "options of the policy, as options.checkpoint=path")
    env: str = option("", "instead of tasks: anyone's gymnasium id, as panda_gym:PandaPush-v3")
    words: str = option("", "with env=: the YAML file of what is said there, see embodied/foreign.py")
    ros: bool = option(False, "run the same seeds through the ROS graph, started if none is running")
    rate: float = option(1.0, "with ros=true: simulated seconds in one second, 0 for as fast as possible")


def check(options: EvalOptions) -> list[tuple[str, str]]:
    """The (task, split) pairs to run. Raises ConfigError or UnknownNameError before anything is loaded."""
    tasks = _foreign(options) if options.env else suite_tasks(options.suite, options.task)
    arm_model(options.arm)
    for name, valid in (("action_mode", ACTION_MODES), ("until", UNTIL)):
        check_name(name, getattr(options, name), valid)
    if options.disturbance and (options.env or options.ros):
        raise ConfigError("disturbance= is for tasks in this process: leave env= and ros= out")
    if options.episodes < 1 or options.workers < 0 or options.seed < 0:
        raise ConfigError("episodes must be at least 1, workers and seed at least 0")
    appearing(options.appearance, tasks)
    if not options.split:
        raise ConfigError("split= needs at least one split")
    check_json_name(options.out)
    for suffix in (".json", ".jsonl", ".png"):
        check_writable(Path(options.out).with_suffix(suffix))
    # Last, for the module of a policy may take seconds to load.
    check_splits(options.policy, options.split)
    POLICIES.get(options.policy)
    pairs = [(task, split) for task in tasks for split in dict.fromkeys(options.split)]
    has = {task: _splits(options, task) for task in tasks}
    left = [(task, split) for task, split in pairs if split in has[task]]
    for task, split in pairs:
        if (task, split) not in left:
            print(f"task {task} has no split {split}: left out; it has {', '.join(has[task])}")
    if not left:
        there = ", ".join(dict.fromkeys(split for task in tasks for split in has[task]))
        raise ConfigError(f"nothing is left to run of split={','.join(options.split)}; there is {there}")
    return left


def _foreign(options: EvalOptions) -> tuple[str, ...]:
    """The environment in place of tasks. Raises EmbodiedError where it cannot be run as it was asked for."""
    if not options.words:
        raise ConfigError("env= needs words=FILE.yaml, which holds at least `words: [push the cube to the target]`")
    if options.task or options.ros:
        raise ConfigError("env= is an environment of its own: leave task= and ros= out")
    if (options.arm, options.action_mode) != (EvalOptions.arm, EvalOptions.action_mode):
        raise ConfigError("env= has an arm and actions of its own, or none: leave arm= and action_mode= out")
    check_id(options.env)
    return (options.env,)


def _splits(options: EvalOptions, task: str) -> tuple[str, ...]:
    """What there is of a task: splits of its own, and controls."""
    if options.env:
        own = tuple(read_words(Path(options.words)).words)
        # Controls are spoilt episodes of `seen`; there is no second command to swap with.
        return (*own, *(each for each in CONTROLS if SPLITS[0] in own and each != "swapped"))
    return (*(TASK_SPLITS[task]() if task in TASK_SPLITS else SPLITS), *CONTROLS)


def main(arguments: Sequence[str]) -> int:
    """Run the evaluation that `arguments` describe; 0 when every episode ran, 1 when it was cut short."""
    options = parse(EvalOptions, arguments, command="embodied eval", example=EXAMPLE)
    run = Run(options, check(options))
    whole = run.collect()
    if not run.results:
        raise EmbodiedError("no episode was finished")
    run.report(whole)
    return 0 if whole else 1


class Run:
    """One evaluation: what is still to do, what has come of the rest."""

    def __init__(self, options: EvalOptions, pairs: list[tuple[str, str]]) -> None:
        self.options, self.pairs = options, pairs
        self.seeds = range(options.seed, options.seed + options.episodes)
        self.out = Path(options.out)
        self.journal = self.out.with_suffix(".jsonl")
        self.results: list[EpisodeResult] = []
        self._began_s = time.monotonic()
        if options.resume and self.journal.exists():
            self.results = self._read_journal()

    def collect(self) -> bool:
        """Run what is missing; whether all of it ran. Ctrl-C ends it early and keeps what there is."""
        # What is kept of an earlier run, without a line that was cut off; or nothing but a head.
        lines = [self._identity(), *(asdict(result) for result in self.results)]
        write_text(self.journal, "".join(json.dumps(line) + "\n" for line in lines))
        done = {(result.task, result.split, result.seed) for result in self.results}
        missing = [(*pair, seed) for pair in self.pairs for seed in self.seeds if (*pair, seed) not in done]
        with (
            self.journal.open("a", encoding="utf-8") as journal,
            progress_bar("episodes", len(done) + len(missing), completed=len(done)) as advance,
        ):
            try:
                for result in run_jobs(self.options, missing):
                    with writing(self.journal):
                        journal.write(json.dumps(asdict(result)) + "\n")
                        journal.flush()
                    self.results.append(result)
                    advance(1)
            except KeyboardInterrupt:
                return False
        return True

    def report(self, whole: bool) -> None:
        """Write JSON and figure, print the table."""
        options = self.options
        rows = summarise(self.results, self.pairs)
        protocol = self._identity() | {
            "episodes": options.episodes,
            "workers": options.workers or cores(),
            "complete": whole,
            "wall_s": round(time.monotonic() - self._began_s, 1),
        }
        asked = {"suite": options.env or options.suite, "policy": options.policy, "seed": options.seed}
        write_json(self.out, {**asked, "protocol": protocol, "versions": versions(), "results": rows})
        cut = "" if whole else " (cut short)"
        look = "".join(f", {each}" for each in (options.appearance, options.disturbance) if each)
        title = f"{options.policy}, {protocol['action_mode']} mode, seeds from {options.seed}{look}{cut}"
        print_table(rows, title)
        for row in rows:
            if row["task"] == rows[-1]["task"] and (ends := ending_of(row)):
                print(f"{row['split']}: {ends}")
        print(f"wrote {self.out} and {self.journal}")
        try:
            draw_figure(rows, self.out.with_suffix(".png"), title)
            print(f"drew {self.out.with_suffix('.png')}")
        except ModuleNotFoundError as error:
            print(f"drew no figure: it needs {error.name} (pip install {error.name})")
        if not whole:
            print("cut short: the same command with resume=true goes on from here")

    def _identity(self) -> dict[str, Any]:
        """What two runs must share for their episodes to be added up."""
        names = ("policy", "options", "arm", "appearance", "disturbance", "until", "action_mode")
        given = {name: getattr(self.options, name) for name in names}
        if self.options.env:
            given |= {
                "action_mode": RAW,
                "env": self.options.env,
                "words": asdict(read_words(Path(self.options.words))),
            }
        if self.options.ros:  # there the policy itself says when it is done
            given["until"] = "done"
        execution = "ros graph" if self.options.ros else "physics"
        return {**given, "execution": execution, "first_seed": self.options.seed}

    def _read_journal(self) -> list[EpisodeResult]:
        lines = list(_whole_lines(self.journal))
        if not lines or lines[0] != self._identity():
            raise ConfigError(f"resume=true: {self.journal} is of another run; choose another out=")
        names = {field.name for field in fields(EpisodeResult)}
        if any(set(line) != names for line in lines[1:]):
            raise ConfigError(f"resume=true: {self.journal} is of another version; choose another out=")
        found = (EpisodeResult(**line) for line in lines[1:])
        return [each for each in found if (each.task, each.split) in self.pairs and each.seed in self.seeds]


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a file; a last line that was cut off is left out."""
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return


def run_jobs(options: EvalOptions, jobs: Sequence[Job]) -> Iterator[EpisodeResult]:
    """The result of each of `jobs`. Raises EmbodiedError."""
    if options.ros:
        with RUNNERS.get("ros")(options) as session:
            for task, split, seed in jobs:
                yield session.run_episode(task=task, split=split, seed=seed)
        return
    count = min(options.workers or cores(), max(1, len(jobs) // (2 * EPISODES_PER_BATCH)))
    initial = (options, max(1, cores() // count))
    try:
        yield from run_in_order(jobs, _run_job, count, chunk=EPISODES_PER_BATCH, initialise=_start, initial=initial)
    finally:
        if _worker is not None:  # there is none in this process where others did the work
            _worker.close()


class _Worker:
    """The policies, and the environment of the task that a process is at."""

    def __init__(self, options: EvalOptions, threads: int) -> None:
        self._options, self._threads = options, threads
        self._policies = Policies(options.policy, options.options)
        self._task: str | None = None
        self._env: Any = None

    def run(self, job: Job) -> EpisodeResult:
        """Run one episode."""
        task, split, seed = job
        options = self._options
        if task != self._task:
            self.close()
            senses = senses_of(self._policies.plain)
            if "torch" in sys.modules and "OMP_NUM_THREADS" not in os.environ:  # the policy uses it, and nobody chose
                sys.modules["torch"].set_num_threads(self._threads)
            self._env = self._make(task, senses)
            self._task = task
        return run_episode(self._env, self._policies, task=task, split=split, seed=seed, until=options.until)

    def _make(self, task: str, senses: Sequence[str]) -> Any:
        options = self._options
        if options.env:
            return SpokenEnv(options.env, read_words(Path(options.words)), senses)
        settings: dict[str, Any] = {"arm": options.arm, "action_mode": options.action_mode, "senses": senses}
        settings |= appearing(options.appearance, (task,))
        if options.disturbance:
            settings["disturbance"] = options.disturbance
        return environments.make_environment(task, **settings, skills=every_skill())

    def close(self) -> None:
        """Close the environment that is open."""
        if self._env is not None:
            self._env.close()
            self._env, self._task = None, None


_worker: _Worker | None = None


def _start(options: EvalOptions, threads: int) -> None:
    global _worker
    _worker = _Worker(options, threads)


def _run_job(job: Job) -> EpisodeResult:
    assert _worker is not None
    return _worker.run(job)
