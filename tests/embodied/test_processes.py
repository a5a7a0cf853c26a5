# SPDX-License-Identifier: Apache-2.0
"""Work in several processes: in order, with errors that are told, and nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from embodied.config import ConfigError
from embodied.errors import CheckpointError, EmbodiedError, UnknownNameError
from embodied.processes import run_in_order

ROOT = Path(__file__).resolve().parents[2]

_prepared: list[str] = []


def prepare(word: str) -> None:
    _prepared[:] = [word]


def tell(job: int) -> tuple[int, int, str]:
    # Later jobs are quicker: their results come before those of the first.
    time.sleep(0.05 if job % 7 == 0 else 0.0)
    return job, os.getpid(), _prepared[0]


def fail(job: int) -> int:
    if job == 6:
        raise UnknownNameError("task", "tuch", ["touch"])
    if job == 8:
        raise CheckpointError("the checkpoint is damaged")
    return job


def crash(job: int) -> int:
    if job == 6:
        os._exit(3)
    return job


def trip(job: int) -> float:
    return 1 / (job - 6)


@pytest.mark.parametrize("chunk", [1, 5])
@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs(workers: int, chunk: int) -> None:
    jobs = list(range(23))
    told = list(run_in_order(jobs, tell, workers, chunk=chunk, initialise=prepare, initial=("ready",)))
    assert [job for job, _, _ in told] == jobs
    assert {word for _, _, word in told} == {"ready"}
    pids = {pid for _, pid, _ in told}
    assert len(pids) == workers if workers == 1 else 1 <= len(pids) <= workers
    assert (os.getpid() in pids) is (workers == 1)


def test_for_hardly_more_jobs_than_workers_no_process_is_started() -> None:
    for jobs in ([], [0], [0, 1, 2]):
        told = list(run_in_order(jobs, tell, 2, initialise=prepare, initial=("ready",)))
        assert [job for job, _, _ in told] == jobs
        assert {pid for _, pid, _ in told} <= {os.getpid()}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_user_comes_through_as_one(workers: int) -> None:
    """After the results before it, as a mistake in the call or as a failure, in one line."""
    done: list[int] = []
    with pytest.raises((ConfigError, UnknownNameError), match=r"unknown task 'tuch'\. Did you mean 'touch'"):
        done.extend(run_in_order(range(12), fail, workers))
    jobs = [0, 1, 2, 3, 8, 9, 10]
    with pytest.raises(EmbodiedError, match=r"^the checkpoint is damaged$") as caught:
        done.extend(run_in_order(jobs, fail, workers))
    assert not isinstance(caught.value, ConfigError)


def test_what_was_finished_before_an_error_is_kept() -> None:
    results = run_in_order(range(12), fail, 2)
    assert [next(results) for _ in range(6)] == list(range(6))
    with pytest.raises(ConfigError):
        next(results)


def test_a_bug_comes_through_as_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        list(run_in_order(range(12), trip, 2))


def test_a_worker_that_dies_is_told_with_what_to_do() -> None:
    with pytest.raises(EmbodiedError, match=r"a worker process died.*resume=true.*workers=1"):
        list(run_in_order(range(12), crash, 2))


def test_a_reader_that_stops_ends_the_work() -> None:
    results = run_in_order(range(1000), tell, 2, initialise=prepare, initial=("ready",))
    assert next(results)[0] == 0
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 20


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not fetched yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


WORK = """
import os, sys, time
from pathlib import Path
from embodied.processes import run_in_order

def work(job):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(60)

if __name__ == "__main__":
    list(run_in_order(range(100), work, 2))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the parent's death is told by Linux")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_a_parent_that_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    script, pids = tmp_path / "work.py", tmp_path / "pids"
    script.write_text(WORK)
    pids.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, str(script), str(pids)], env=environment)
    try:
        wait_for(lambda: len(list(pids.iterdir())) == 2)
        workers = [int(path.name) for path in pids.iterdir()]
        assert all(map(alive, workers)) and parent.pid not in workers
    finally:
        parent.send_signal(number)
        parent.wait()
    wait_for(lambda: not any(map(alive, workers)))


@pytest.mark.skipif(sys.platform != "linux", reason="the parent's death is told by Linux")
def test_a_worker_whose_parent_died_while_it_started_ends_at_once() -> None:
    for parent, goes_on in (("1", False), ("os.getppid()", True)):
        code = f"import os; from embodied.processes import _start; _start(None, (), {parent}); print('went on')"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
        assert ("went on" in done.stdout) is goes_on, done.stderr


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def test_ctrl_c_reaches_this_process_alone_and_is_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    list(run_in_order(range(8), tell, 2, initialise=prepare, initial=("ready",)))
    assert signal.getsignal(signal.SIGINT) is before
