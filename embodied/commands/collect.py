# SPDX-License-Identifier: Apache-2.0
"""Record oracle demonstrations at 10 Hz, in LeRobot v3 layout."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from embodied.arm import DEFAULT_ARM, arm_model
from embodied.config import ConfigError, option, parse
from embodied.controls import Policies
from embodied.data import layout
from embodied.data.layout import Feature, number
from embodied.environments import DEFAULT_SUITE, EVALUATION_SEED, check_split, make_environment, suite_tasks
from embodied.episode import run_episode
from embodied.motion.actions import EE_DELTA_NAMES
from embodied.processes import progress_bar, run_in_order
from embodied.registry import Registry
from embodied.versions import cores

FPS = 10
EXAMPLE = "embodied collect task=put_in_bowl episodes=1000 seed=0 out=data/put_in_bowl"

COLLECTORS: Registry[Callable[[Sequence[str]], int]] = Registry("collector", group="embodied.collectors")
"""Data that is no episode, by the name that task= has: a function of the other arguments. task=grounding
renders the pictures with words that `embodied train` reads."""

Frames = dict[str, NDArray[Any]]


@dataclass
class CollectOptions:
    """Record demonstrations of the oracle in LeRobot v3 layout (task=grounding: pictures for training)."""

    out: str = option("data/demonstrations", "folder of the dataset")
    task: list[str] = option([], "tasks, with commas between them; none is the whole tabletop suite")
    arm: str = option(DEFAULT_ARM, "arm by name, or the YAML file of one")
    split: str = option("seen", "seen, paraphrase or pair")
    episodes: int = option(100, "episodes of each task")
    seed: int = option(0, "seed of the first episode; below 1000000, which is where evaluation begins")
    camera: list[str] = option(["front"], "cameras to record")
    picture_size_px: int = option(224, "side of the pictures")
    episodes_per_file: int = option(50, "episodes in one file; a crash loses at most these")
    resume: bool = option(False, "go on with the dataset that is in `out`")
    workers: int = option(0, "processes; 0 is one for each core")


class Job(NamedTuple):
    """One demonstration to record."""

    task: str
    seed: int
    options: CollectOptions


def main(arguments: Sequence[str]) -> int:
    """Record what `arguments` describe; 1 when it was cut short."""
    for name in COLLECTORS:
        if f"task={name}" in arguments:
            return COLLECTORS.get(name)([each for each in arguments if each != f"task={name}"])
    return collect(parse(CollectOptions, arguments, command="embodied collect", example=EXAMPLE))


def collect(options: CollectOptions) -> int:
    """Record demonstrations; those in which the oracle fails are left out and counted."""
    from embodied.data.writer import DatasetWriter

    jobs = plan_jobs(options)
    failures = 0
    with DatasetWriter(
        Path(options.out),
        fps=FPS,
        robot_type=arm_model(options.arm).name,
        features=features_of(jobs[0]),
        episodes_per_file=options.episodes_per_file,
        resume=options.resume,
    ) as writer:
        done = {(extra.get("task"), extra.get("seed")) for extra in writer.extras}
        missing = [job for job in jobs if (job.task, job.seed) not in done]
        with progress_bar("episodes", len(jobs), completed=len(jobs) - len(missing)) as advance:
            try:
                recorded = run_in_order(missing, record, options.workers or cores())
                for job, (words, frames) in zip(missing, recorded, strict=True):
                    advance(1)
                    if frames[layout.SUCCESS][-1]:
                        writer.add_episode(words, frames, extra={"task": job.task, "seed": job.seed})
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
    if options.episodes < 1 or options.episodes_per_file < 1 or options.seed < 0 or options.workers < 0:
        raise ConfigError("episodes and episodes_per_file must be at least 1, seed and workers at least 0")
    if options.seed + options.episodes > EVALUATION_SEED:
        raise ConfigError(
            f"seeds {options.seed} to {options.seed + options.episodes - 1}: those of {EVALUATION_SEED} and "
            "above are for evaluation and never for training; choose a smaller seed or fewer episodes"
        )
    seeds = range(options.seed, options.seed + options.episodes)
    return [Job(task, seed, options) for task in suite_tasks(DEFAULT_SUITE, options.task) for seed in seeds]


def features_of(job: Job) -> dict[str, Feature]:
    """The columns of a job's episodes, from the spaces of its environment."""
    with closing(_environment(job)) as env:
        pictures, state, action = env.observation_space, env.observation_space["state"], env.action_space
    columns = {}
    for camera in job.options.camera:
        sides = ("height", "width", "channels")
        columns[layout.IMAGES + camera] = Feature(dtype="video", shape=pictures[camera].shape, names=sides)
    return columns | {
        layout.STATE: Feature(dtype="float32", shape=state.shape),
        layout.ACTION: Feature(dtype="float32", shape=action.shape, names=EE_DELTA_NAMES),
        layout.REWARD: number("float32"),
        layout.DONE: number("bool"),
        layout.SUCCESS: number("bool"),
    }


def _environment(job: Job) -> Any:
    cameras, size_px = tuple(job.options.camera), job.options.picture_size_px
    return make_environment(
        job.task, arm=job.options.arm, action_mode="ee_delta", senses=cameras, picture_size_px=size_px
    )


def record(job: Job) -> tuple[str, Frames]:
    """The words and the frames of one demonstration: arrays whose first axis is time."""
    rows: list[dict[str, Any]] = []

    def on_step(seen: Any, action: Any, info: Mapping[str, Any], over: bool) -> None:
        row = {layout.IMAGES + camera: seen[camera] for camera in job.options.camera}
        row[layout.STATE] = np.asarray(seen["state"], dtype=np.float32)
        row[layout.ACTION] = np.asarray(action, dtype=np.float32)
        row[layout.REWARD] = np.float32(info["is_success"])
        row[layout.DONE] = np.bool_(over)
        row[layout.SUCCESS] = np.bool_(info["is_success"])
        rows.append(row)

    oracle, split = Policies("oracle", {}), job.options.split
    with closing(_environment(job)) as env:
        result = run_episode(env, oracle, task=job.task, split=split, seed=job.seed, recorder=on_step)
    return result.instruction, {key: np.stack([row[key] for row in rows]) for key in rows[0]}
