# SPDX-License-Identifier: Apache-2.0
"""Runs episodes in several processes; each loads the policy once and keeps one environment open."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from embodied.config import ConfigError
from embodied.environments import make_environment
from embodied.errors import EmbodiedError, UnknownNameError
from embodied.eval_options import EvalOptions
from embodied.policy import Policy, make_policy
from embodied.rollout import EpisodeResult, check_controls, run_episode
from embodied.versions import cores

Job = tuple[str, str, int]
"""(task, split, seed)."""

Batch = Future[list[EpisodeResult] | EmbodiedError]
EPISODES_PER_BATCH = 5
GRAPH_SESSION = "nodes.ros_eval:GraphSession"
"""Runs episodes through a ROS graph; named as text, because `embodied` imports no other room."""


class Worker:
    """A policy and the environment of the task that it is at."""

    def __init__(self, options: EvalOptions, threads: int) -> None:
        self._options = options
        self._task: str | None = None
        self._env: Any = None
        self.policy: Policy = make_policy(options.policy, options.options)
        check_controls(self.policy, options.policy, options.split)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)

    def run(self, job: Job) -> EpisodeResult:
        """Run one episode."""
        task, split, seed = job
        if task != self._task:
            self.close()
            self._env = make_environment(
                task, action_mode=self._options.action_mode, cameras=tuple(self.policy.cameras)
            )
            self._task = task
        return run_episode(self._env, self.policy, task=task, split=split, seed=seed)

    def close(self) -> None:
        """Close the environment that is open."""
        if self._env is not None:
            self._env.close()
            self._env, self._task = None, None


def run_jobs(options: EvalOptions, jobs: Sequence[Job]) -> Iterator[EpisodeResult]:
    """The results of `jobs`, in the order in which they finish. Raises EmbodiedError."""
    if options.ros:
        yield from _run_in_graph(options, jobs)
        return
    count = min(options.workers or cores(), max(1, len(jobs) // EPISODES_PER_BATCH))
    threads = max(1, cores() // count)
    if count == 1:
        yield from _run_here(Worker(options, threads), jobs)
    else:
        yield from _run_in_processes(options, jobs, count, threads)


def _run_here(worker: Worker, jobs: Sequence[Job]) -> Iterator[EpisodeResult]:
    try:
        for job in jobs:
            yield worker.run(job)
    finally:
        worker.close()


def _run_in_graph(options: EvalOptions, jobs: Sequence[Job]) -> Iterator[EpisodeResult]:
    import importlib

    module_name, _, name = GRAPH_SESSION.partition(":")
    with getattr(importlib.import_module(module_name), name)(options) as session:
        for task, split, seed in jobs:
            yield session.run_episode(task=task, split=split, seed=seed)


def _run_in_processes(
    options: EvalOptions, jobs: Sequence[Job], count: int, threads: int
) -> Iterator[EpisodeResult]:
    batches = [jobs[i : i + EPISODES_PER_BATCH] for i in range(0, len(jobs), EPISODES_PER_BATCH)]
    pool = ProcessPoolExecutor(
        max_workers=count,
        # A fork would share the physics server and torch's threads with this process.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_process,
        initargs=(options, threads),
    )
    try:
        waiting = _submit(pool, batches)
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                results = future.result()
                if isinstance(results, EmbodiedError):
                    raise results
                yield from results
    except BrokenProcessPool:
        raise EmbodiedError(
            "a worker process died (out of memory, or a crash in a library); finished episodes are kept, "
            "resume=true goes on; workers=1 uses less memory"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, batches: Sequence[Sequence[Job]]) -> set[Batch]:
    # Ctrl-C goes to the whole process group. Children inherit that it is ignored: this process
    # decides, they finish the batch that they are at.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return {pool.submit(_run_batch, batch) for batch in batches}
    finally:
        signal.signal(signal.SIGINT, before)


_process: tuple[EvalOptions, int] | None = None
_worker: Worker | None = None


def _start_process(options: EvalOptions, threads: int) -> None:
    global _process
    _process = (options, threads)


def _run_batch(batch: Sequence[Job]) -> list[EpisodeResult] | EmbodiedError:
    """The results of a batch, or what a user did wrong."""
    global _worker
    assert _process is not None
    try:
        _worker = _worker or Worker(*_process)
        return [_worker.run(job) for job in batch]
    except EmbodiedError as error:
        # Exceptions with arguments of their own do not survive the way between processes.
        usage = isinstance(error, ConfigError | UnknownNameError)
        return ConfigError(str(error)) if usage else EmbodiedError(str(error))
