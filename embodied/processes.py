# SPDX-License-Identifier: Apache-2.0
"""Work in several processes: one pool for everything that has many independent jobs, and a progress bar."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from embodied.config import ConfigError
from embodied.errors import EmbodiedError, UnknownNameError

J = TypeVar("J")
R = TypeVar("R")
_PR_SET_PDEATHSIG = 1


def run_in_order(
    jobs: Sequence[J],
    function: Callable[[J], R],
    workers: int,
    *,
    chunk: int = 1,
    initialise: Callable[..., None] | None = None,
    initial: tuple[Any, ...] = (),
) -> Iterator[R]:
    """The results of `function` for each of `jobs`, in their order, `chunk` jobs at a time.

    With one worker, or hardly more jobs than workers, all is done in this process. Each process calls
    `initialise(*initial)` first. Only a few results are kept waiting, however slow their reader. Ctrl-C
    reaches this process alone: the others finish the chunk that they are at. Raises EmbodiedError.
    """
    workers = max(1, min(workers, len(jobs) // (2 * chunk)))
    if workers == 1:
        if initialise is not None:
            initialise(*initial)
        yield from map(function, jobs)
        return
    chunks = (jobs[i : i + chunk] for i in range(0, len(jobs), chunk))
    pool = ProcessPoolExecutor(
        workers,
        # A fork would share a physics server, and the threads of libraries, with this process.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(initialise, initial, os.getpid()),
    )
    waiting: deque[Future[Any]] = deque()
    try:
        for work in chunks:
            waiting.append(_submit(pool, function, work))
            if len(waiting) > 2 * workers:
                yield from _results(waiting.popleft())
        while waiting:
            yield from _results(waiting.popleft())
    except BrokenProcessPool:
        raise EmbodiedError(
            "a worker process died (out of memory, or a crash in a library); what was finished is kept, "
            "resume=true goes on; workers=1 uses less memory"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, function: Callable[[J], R], work: Sequence[J]) -> Future[Any]:
    # Children start on demand and inherit that Ctrl-C is ignored; this process decides when to end.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return pool.submit(partial(_work, function), work)
    finally:
        signal.signal(signal.SIGINT, before)


def _results(future: Future[Any]) -> Any:
    results = future.result()
    if isinstance(results, EmbodiedError):
        raise results
    return results


def _start(initialise: Callable[..., None] | None, initial: tuple[Any, ...], parent: int) -> None:
    if sys.platform == "linux":
        # However this process's parent dies, the worker ends with it; it may have died already.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(1)
    if initialise is not None:
        initialise(*initial)


def _work(function: Callable[[J], R], jobs: Sequence[J]) -> list[R] | EmbodiedError:
    try:
        return [function(job) for job in jobs]
    except EmbodiedError as error:
        # Exceptions with arguments of their own do not survive the way between processes.
        usage = isinstance(error, ConfigError | UnknownNameError)
        return ConfigError(str(error)) if usage else EmbodiedError(str(error))


@contextmanager
def progress_bar(what: str, total: int, *, completed: int = 0) -> Iterator[Callable[[int], None]]:
    """Gives a function that counts finished pieces of work; the bar is on a terminal, by standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task(what, total=total, completed=completed)
        yield lambda pieces: progress.advance(bar, pieces)
