# SPDX-License-Identifier: Apache-2.0
"""Record oracle demonstrations at 10 Hz, in LeRobot v3 layout."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from embodied.arm import DEFAULT_ARM, arm_model
from embodied.config import ConfigError, option, parse
from embodied.controls import Policies
from embodied.data import layout
from embodied.environments import (
    DEFAULT_SUITE,
    EVALUATION_SEED,
    check_picture_size,
    check_split,
    make_environment,
    suite_tasks,
)
from embodied.episode import run_episode
from embodied.errors import check_name
from embodied.files import check_folder
from embodied.motion.actions import ACTION_MODES, every_skill
from embodied.processes import progress_bar, run_in_order
from embodied.registry import Registry
from embodied.versions import cores

FPS = 10
EXAMPLE = "embodied collect task=put_in_bowl episodes=1000 seed=0 out=data/put_in_bowl"

COLLECTORS: Registry[Callable[[Sequence[str]], int]] = Registry("collector", group="embodied.collectors")
"""Data that is no episode, by the name that task= has: a function of the other arguments. task=grounding
renders the pictures with words that `embodied train` reads."""


@dataclass
class CollectOptions:
    """Record demonstrations of the oracle in LeRobot v3 layout (task=grounding: pictures for training)."""

    out: str = option("data/demonstrations", "folder of the dataset")
    task: list[str] = option([], "tasks, with commas between them; none is the whole tabletop suite")
    arm: str = option(DEFAULT_ARM, "arm by name, or the YAML file of one")
    split: str = option("seen", "seen, paraphrase or pair")
    episodes: int = option(100, "episodes of each task")
    seed: int = option(0, "seed of the first episode; below 1000000, which is where evaluation begins")
    action_mode: str = option("ee_delta", "ee_delta or joint at 10 Hz, or skill: how the oracle moves the arm")
    senses: list[str] = option(["front"], "what to record besides the joints: cameras, their depths, touch, force")
    picture_size_px: int = option(224, "side of the pictures")
    episodes_per_file: int = option(50, "episodes in one file; a crash loses at most these")
    resume: bool = option(False, "go on with the dataset that is in `out`")
    workers: int = option(0, "processes; 0 is one for each core")


class Job(NamedTuple):
    """One demonstration to record."""

    task: str
    seed: int
    options: CollectOptions


class Demonstration(NamedTuple):
    """What came of a job."""

    words: str
    plan: str  # what they mean, in the verb's own sentence; empty where the environment does not tell
    frames: dict[str, NDArray[Any]]  # by feature; the first axis is time


def main(arguments: Sequence[str]) -> int:
    """Record what `arguments` describe; 1 when it was cut short."""
    for name in COLLECTORS:
        if f"task={name}" in arguments:
            return COLLECTORS.get(name)([each for each in arguments if each != f"task={name}"])
    return collect(parse(CollectOptions, arguments, command="embodied collect", example=EXAMPLE))


def collect(options: CollectOptions) -> int:
    """Record demonstrations; those in which the oracle fails are left out and counted."""
    from embodied.data.recorder import features_of
    from embodied.data.writer import DatasetWriter

    jobs = plan_jobs(options)
    check_folder(Path(options.out))
    with closing(_environment(jobs[0])) as env:
        env.reset(seed=options.seed, options={"split": options.split})
        features = features_of(env)
    failures = 0
    with DatasetWriter(
        Path(options.out),
        fps=FPS,
        robot_type=arm_model(options.arm).name,
        features=features,
        made_with=identity_of(options),
        episodes_per_file=options.episodes_per_file,
        resume=options.resume,
    ) as writer:
        done = {(extra.get("task"), extra.get("seed")) for extra in writer.extras}
        missing = [job for job in jobs if (job.task, job.seed) not in done]
        with progress_bar("episodes", len(jobs), completed=len(jobs) - len(missing)) as advance:
            try:
                recorded = run_in_order(missing, record, options.workers or cores())
                for job, shown in zip(missing, recorded, strict=True):
                    advance(1)
                    if shown.frames and shown.frames[layout.SUCCESS][-1]:
                        told = {"task": job.task, "seed": job.seed, "plan": shown.plan}
                        writer.add_episode(shown.words, shown.frames, extra=told)
                    else:
                        failures += 1
            except KeyboardInterrupt:
                print("cut short: the same command with resume=true goes on from here")
                return 1
        print(f"{options.out}: {writer.episodes} episodes; the oracle failed in {failures}, which are left out")
    return 0


def plan_jobs(options: CollectOptions) -> list[Job]:
    """The demonstrations to record. Raises ConfigError or UnknownNameError."""
    check_split(options.split)
    check_name("action mode", options.action_mode, ACTION_MODES)
    check_picture_size(options.picture_size_px)
    if options.episodes < 1 or options.episodes_per_file < 1 or options.seed < 0 or options.workers < 0:
        raise ConfigError("episodes and episodes_per_file must be at least 1, seed and workers at least 0")
    if options.seed + options.episodes > EVALUATION_SEED:
        raise ConfigError(
            f"seeds {options.seed} to {options.seed + options.episodes - 1}: those of {EVALUATION_SEED} and "
            "above are for evaluation and never for training; choose a smaller seed or fewer episodes"
        )
    seeds = range(options.seed, options.seed + options.episodes)
    return [Job(task, seed, options) for task in suite_tasks(DEFAULT_SUITE, options.task) for seed in seeds]


def identity_of(options: CollectOptions) -> dict[str, Any]:
    """What two runs must share for their episodes to be one dataset: all but how many and how they are made."""
    names = ("arm", "split", "seed", "action_mode", "senses", "picture_size_px")
    identity = {name: getattr(options, name) for name in names}
    identity["task"] = list(suite_tasks(DEFAULT_SUITE, options.task))
    return identity | ({"skills": list(every_skill())} if options.action_mode == "skill" else {})


def record(job: Job) -> Demonstration:
    """Let the oracle act, and keep what happens."""
    from embodied.data.recorder import Recorder

    oracle = Policies("oracle", {})
    with closing(Recorder(_environment(job))) as env:
        result = run_episode(env, oracle, task=job.task, split=job.options.split, seed=job.seed)
        world: Any = env.unwrapped
        plan = getattr(world.episode, "plan", None)
        return Demonstration(result.instruction, plan.text() if plan is not None else "", env.frames())


def _environment(job: Job) -> Any:
    options = job.options
    return make_environment(
        job.task,
        arm=options.arm,
        action_mode=options.action_mode,
        senses=tuple(options.senses),
        picture_size_px=options.picture_size_px,
        skills=every_skill(),
    )
