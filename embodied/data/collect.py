# SPDX-License-Identifier: Apache-2.0
"""`embodied collect`: demonstrations of the oracle at 10 Hz, in LeRobot v3 layout."""

from __future__ import annotations

import importlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied.config import ConfigError, option, parse
from embodied.data import layout
from embodied.data.layout import Feature, number
from embodied.environments import EVALUATION_SEED

FPS = 10
ACTION_NAMES = ("dx_m", "dy_m", "dz_m", "dyaw_rad", "gripper")
EXAMPLE = "embodied collect task=put_in_bowl episodes=1000 seed=0 out=data/put_in_bowl"

OTHER_COLLECTORS = {"grounding": ("sim.grounding", "GroundingConfig", "write")}
"""Data that is no episode: module, schema of options, function. task=grounding renders the pictures
with words that `embodied train` reads."""

Frames = dict[str, NDArray[Any]]


@dataclass
class CollectOptions:
    """Record demonstrations of the oracle in LeRobot v3 layout (task=grounding: pictures for training)."""

    out: str = option("data/demonstrations", "folder of the dataset")
    task: list[str] = option([], "tasks, with commas between them; none is the whole tabletop suite")
    split: str = option("seen", "seen, paraphrase or pair")
    episodes: int = option(100, "episodes of each task")
    seed: int = option(0, "seed of the first episode; below 1000000, which is where evaluation begins")
    camera: list[str] = option(["front"], "cameras to record")
    picture_size_px: int = option(224, "side of the pictures")
    episodes_per_file: int = option(50, "episodes in one file; a crash loses at most these")
    resume: bool = option(False, "go on with the dataset that is in `out`")
    workers: int = option(0, "processes; 0 is one for each core")


@dataclass(frozen=True)
class Job:
    """One demonstration to record."""

    task: str
    split: str
    seed: int
    cameras: tuple[str, ...]
    picture_size_px: int


def main(arguments: Sequence[str]) -> int:
    """Record what `arguments` describe; 1 when it was cut short."""
    for name, (module_name, schema, function) in OTHER_COLLECTORS.items():
        if f"task={name}" in arguments:
            module = importlib.import_module(module_name)
            others = [argument for argument in arguments if argument != f"task={name}"]
            command = f"embodied collect task={name}"
            print(
                f"wrote {getattr(module, function)(parse(getattr(module, schema), others, command=command))}"
            )
            return 0
    options = parse(CollectOptions, arguments, command="embodied collect", example=EXAMPLE)
    return collect(options)


def collect(options: CollectOptions) -> int:
    """Record demonstrations; those in which the oracle fails are left out and counted."""
    from embodied.data.writer import DatasetWriter
    from embodied.progress import progress_bar
    from embodied.versions import cores

    jobs = plan_jobs(options)
    failures = 0
    with DatasetWriter(
        Path(options.out),
        fps=FPS,
        robot_type="panda",
        features=features_of(jobs[0]),
        episodes_per_file=options.episodes_per_file,
        resume=options.resume,
    ) as writer:
        done = {(extra.get("task"), extra.get("seed")) for extra in writer.extras}
        missing = [job for job in jobs if (job.task, job.seed) not in done]
        with progress_bar("episodes", len(jobs), completed=len(jobs) - len(missing)) as advance:
            try:
                for job, (words, frames) in run_in_order(missing, options.workers or cores()):
                    advance(1)
                    if frames[layout.SUCCESS][-1]:
                        writer.add_episode(words, frames, extra={"task": job.task, "seed": job.seed})
                    else:
                        failures += 1
            except KeyboardInterrupt:
                print("cut short: the same command with resume=true goes on from here")
                return 1
        print(
            f"{options.out}: {writer.episodes} episodes; the oracle failed in {failures}, which are left out"
        )
    return 0


def plan_jobs(options: CollectOptions) -> list[Job]:
    """The demonstrations to record. Raises ConfigError or UnknownNameError."""
    from embodied.environments import suite_tasks
    from embodied.errors import UnknownNameError
    from embodied.rollout import SPLITS

    if options.split not in SPLITS:
        raise UnknownNameError("split", options.split, SPLITS)
    if options.episodes < 1 or options.episodes_per_file < 1 or options.seed < 0 or options.workers < 0:
        raise ConfigError("episodes and episodes_per_file must be at least 1, seed and workers at least 0")
    if options.seed + options.episodes > EVALUATION_SEED:
        raise ConfigError(
            f"seeds {options.seed} to {options.seed + options.episodes - 1}: those of {EVALUATION_SEED} and "
            "above are for evaluation and never for training; choose a smaller seed or fewer episodes"
        )
    seeds = range(options.seed, options.seed + options.episodes)
    tasks = suite_tasks("tabletop", options.task)
    cameras, size = tuple(options.camera), options.picture_size_px
    return [Job(task, options.split, seed, cameras, size) for task in tasks for seed in seeds]


def features_of(job: Job) -> dict[str, Feature]:
    """The columns of a job's episodes, from the spaces of its environment."""
    env = _environment(job)
    pictures, state, action = env.observation_space, env.observation_space["state"], env.action_space
    env.close()
    sides = ("height", "width", "channels")
    return {
        **{
            layout.IMAGES + camera: Feature(dtype="video", shape=pictures[camera].shape, names=sides)
            for camera in job.cameras
        },
        layout.STATE: Feature(dtype="float32", shape=state.shape),
        layout.ACTION: Feature(dtype="float32", shape=action.shape, names=ACTION_NAMES),
        layout.REWARD: number("float32"),
        layout.DONE: number("bool"),
        layout.SUCCESS: number("bool"),
    }


def _environment(job: Job) -> Any:
    from embodied.environments import make_environment

    return make_environment(
        job.task, action_mode="ee_delta", cameras=job.cameras, picture_size_px=job.picture_size_px
    )


class FrameRecorder:
    """Keeps the frames of one episode: what was seen, what was done, what came of it."""

    def __init__(self, cameras: Sequence[str]) -> None:
        self._cameras = cameras
        self._rows: list[dict[str, Any]] = []

    def on_step(self, seen: Any, action: Any, info: Mapping[str, Any], *, over: bool) -> None:
        """Add one frame."""
        row = {layout.IMAGES + camera: seen[camera] for camera in self._cameras}
        row[layout.STATE] = np.asarray(seen["state"], dtype=np.float32)
        row[layout.ACTION] = np.asarray(action, dtype=np.float32)
        row[layout.REWARD] = np.float32(info["is_success"])
        row[layout.DONE] = np.bool_(over)
        row[layout.SUCCESS] = np.bool_(info["is_success"])
        self._rows.append(row)

    def frames(self) -> Frames:
        """Arrays whose first axis is time."""
        return {key: np.stack([row[key] for row in self._rows]) for key in self._rows[0]}


def record(job: Job) -> tuple[str, Frames]:
    """The words and the frames of one demonstration."""
    from embodied.policy import make_policy
    from embodied.rollout import run_episode

    env = _environment(job)
    try:
        recorder = FrameRecorder(job.cameras)
        oracle = make_policy("oracle")
        result = run_episode(env, oracle, task=job.task, split=job.split, seed=job.seed, recorder=recorder)
        return result.instruction, recorder.frames()
    finally:
        env.close()


def run_in_order(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, tuple[str, Frames]]]:
    """The demonstrations of `jobs`, in their order, recorded by several processes."""
    if workers == 1 or len(jobs) < 2 * workers:
        yield from ((job, record(job)) for job in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        # A bounded queue: pictures of finished episodes wait in memory until they are written.
        queue: deque[tuple[Job, Future[tuple[str, Frames]]]] = deque()
        waiting = iter(jobs)
        try:
            for job in waiting:
                queue.append((job, _submit(pool, job)))
                if len(queue) > 2 * workers:
                    first, future = queue.popleft()
                    yield first, future.result()
            while queue:
                first, future = queue.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, job: Job) -> Future[tuple[str, Frames]]:
    # Children start on demand and inherit that Ctrl-C is ignored; this process decides when to end.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return pool.submit(record, job)
    finally:
        signal.signal(signal.SIGINT, before)
