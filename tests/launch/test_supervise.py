# SPDX-License-Identifier: Apache-2.0
"""The supervisor with real children, which are no ROS nodes: they speak systemd's protocol."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, Process

# Patience is shortened; the rest is the real thing.
SUPERVISE = """
import sys
from nodes import supervise
supervise.HUNG_S, supervise.START_S, supervise.GOOD_LIFE_S, supervise.DELAYS_S = 0.8, {start}, {good}, (0.0, 0.1, 0.1)
sys.exit(supervise.Supervisor("toy_node", [sys.executable, "-c", {child!r}], 3).run())
"""
BEGIN = """
import os, signal, sys, time
from nodes.notify import Notifier
notifier = Notifier()
print("begun", os.getpid(), os.nice(0), flush=True)
"""
LIVES = f"""{BEGIN}
signal.signal(signal.SIGINT, lambda *_: (print("told", flush=True), sys.exit(7)))
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGTERM])
while True:
    notifier.beat()
    time.sleep(0.02)
"""


@pytest.fixture
def supervise():
    """Starts a supervisor over the Python text `child`."""
    started = []

    def start(child, start=60.0, good=5.0):
        code = SUPERVISE.format(child=child, start=start, good=good)
        started.append(Process([sys.executable, "-c", code], os.environ | {"PYTHONPATH": str(ROOT)}))
        return started[-1]

    yield start
    for process in started:
        process.send(signal.SIGCONT)
        process.end()


def child_of(process, *, after=0):
    """Pid of the child that began after so many lines, and the number of lines with it."""
    at = process.wait_for("begun", after=after)
    return int(process.lines[at - 1].split()[1]), at


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_node_is_started_again_and_told_once_to_end(supervise):
    process = supervise(LIVES)
    first, at = child_of(process)
    os.kill(first, signal.SIGKILL)
    process.wait_for("toy_node died of SIGKILL: it is started again at once", after=at)
    second, _ = child_of(process, after=at)
    assert process.lines[-1].split()[2] == "3", "its nice value"
    time.sleep(0.3)
    for _ in range(3):
        process.send(signal.SIGINT)
    assert process.wait() == 7
    assert process.lines.count("told") == 1
    assert "Traceback" not in process.text
    assert not alive(second)


def test_it_ends_with_a_launch_that_is_killed_where_it_is_bound_to_it():
    """ROS's own launch takes nobody along that it leaves behind."""
    bound = SUPERVISE.format(child=LIVES, start=60.0, good=5.0).replace(", 3)", ", 3, bound=True)")
    launch = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {bound!r}])"
    process = Process([sys.executable, "-c", launch], os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        node, _ = child_of(process)
        time.sleep(0.5)
        assert alive(node)
        process.send(signal.SIGKILL)
        end_s = time.monotonic() + 30.0
        while alive(node):
            assert time.monotonic() < end_s, "it outlives its launch"
            time.sleep(0.05)
    finally:
        process.end()


def test_a_node_that_hangs_is_killed_and_started_again(supervise):
    process = supervise(LIVES)
    first, at = child_of(process)
    time.sleep(0.3)
    os.kill(first, signal.SIGSTOP)
    process.wait_for("toy_node gave no sign of life for", after=at)
    second, _ = child_of(process, after=at)
    assert not alive(first)
    assert alive(second)


def test_a_node_that_wakes_in_time_lives_on(supervise):
    process = supervise(LIVES)
    first, _ = child_of(process)
    time.sleep(0.3)
    os.kill(first, signal.SIGSTOP)
    time.sleep(0.3)
    os.kill(first, signal.SIGCONT)
    time.sleep(1.2)
    assert alive(first)
    assert len(process.lines) == 1


def test_a_supervisor_that_was_away_itself_kills_nobody_for_it(supervise):
    process = supervise(LIVES)
    first, _ = child_of(process)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGSTOP)
    os.kill(first, signal.SIGSTOP)  # as where the whole machine was suspended
    time.sleep(1.5)
    process.send(signal.SIGCONT)
    time.sleep(0.2)
    os.kill(first, signal.SIGCONT)
    time.sleep(1.0)
    assert alive(first)


def test_a_node_that_is_not_ready_may_be_silent_for_longer(supervise):
    process = supervise(f"{BEGIN}notifier.beat(ready=False)\ntime.sleep(600)", start=2.0)
    first, at = child_of(process)
    time.sleep(1.2)
    assert alive(first)
    process.wait_for("toy_node gave no sign of life for 2", after=at)


def test_one_that_dies_again_and_again_is_given_up_in_one_line(supervise):
    process = supervise(f"{BEGIN}notifier.beat()\nprint('no such file: x', file=sys.stderr)\nsys.exit(5)")
    assert process.wait() == 2
    assert process.text.count("begun") == 4
    assert process.lines[-1] == (
        "error: toy_node ended with exit code 5, 4 times in a row, and is given up. Its last words: "
        "'no such file: x'. Mend what they name, then launch anew"
    )


def test_a_good_life_in_between_counts(supervise):
    process = supervise(LIVES, good=0.2)
    at = 0
    for _ in range(6):
        pid, at = child_of(process, after=at)
        time.sleep(0.6)
        os.kill(pid, signal.SIGKILL)
    assert alive(child_of(process, after=at)[0])


def test_a_node_that_cannot_run_as_configured_is_not_started_again(supervise):
    process = supervise(f"{BEGIN}sys.exit(2)")
    assert process.wait() == 2
    assert len(process.lines) == 1


def test_one_that_does_not_hear_is_ended_all_the_same(supervise):
    process = supervise(f"{BEGIN}signal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(600)")
    pid, _ = child_of(process)
    process.send(signal.SIGINT)
    assert process.wait(10.0) == 128 + signal.SIGKILL
    assert process.lines[-1] == "toy_node did not end in 2 s and was killed"
    assert not alive(pid)


@pytest.mark.parametrize("hung", [False, True])
def test_the_node_ends_with_a_supervisor_that_is_killed(supervise, wait_until, hung):
    process = supervise(LIVES)
    pid, _ = child_of(process)
    if hung:
        os.kill(pid, signal.SIGSTOP)
    process.send(signal.SIGKILL)
    wait_until(lambda: not alive(pid))


@pytest.mark.parametrize("leaves", [True, False])
def test_nobody_who_reads_keeps_the_node_from_working(tmp_path, wait_until, leaves):
    """Who reads has gone, as with `| head`; or does not read, as a terminal after Ctrl-S."""
    said = tmp_path / "said"
    loop = (
        f"open({str(said)!r}, 'w').write(str(count))\nprint('x' * 9000, flush=True)\nprint('y' * 9000, file=sys.stderr)"
    )
    child = f"{BEGIN}time.sleep(0.3)\ncount = 0\nwhile True:\n    count += 1\n    notifier.beat()\n    " + loop.replace(
        "\n", "\n    "
    )
    code = SUPERVISE.format(child=child, start=60, good=5)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        pid = int(process.stdout.readline().split()[1])
        if leaves:
            process.stdout.close()
        wait_until(lambda: said.exists() and int(said.read_text() or 0) > 1000)  # more than pipes and we hold
        process.send_signal(signal.SIGTERM)
        assert process.wait(20.0) in (128 + signal.SIGTERM, 128 + signal.SIGKILL)
        assert not alive(pid)
    finally:
        process.kill()
        process.wait()


STANDS_BY = f"""
import nodes.process
nodes.process.stand_by()
{BEGIN}
import sys
print("knows", "wave" in sys.modules, flush=True)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGTERM])
while True:
    notifier.beat(modules="" if "wave" in sys.modules else "wave no_such_module")
    time.sleep(0.02)
"""


def spare_of(process, pid, wait_until):
    """Pid of the process that stands by for the node `pid`."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: len(children.read_text().split()) == 2)
    return next(int(child) for child in children.read_text().split() if int(child) != pid)


def test_a_spare_with_the_slow_modules_takes_the_place_of_a_node_that_dies(supervise, wait_until):
    process = supervise(STANDS_BY, good=0.2)
    pid, at = child_of(process)
    at = process.wait_for("knows False", after=at)
    for _ in range(2):
        spare = spare_of(process, pid, wait_until)
        time.sleep(0.5)
        assert len(process.lines) == at, "it stands by in silence"
        os.kill(pid, signal.SIGKILL)
        pid, at = child_of(process, after=at)
        assert pid == spare
        at = process.wait_for("knows True", after=at)
    # One that died meanwhile is no use.
    os.kill(spare_of(process, pid, wait_until), signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    pid, at = child_of(process, after=at)
    process.wait_for("knows False", after=at)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_spare_ends_with_its_supervisor(supervise, wait_until, number):
    process = supervise(STANDS_BY, good=0.2)
    pid, _ = child_of(process)
    spare = spare_of(process, pid, wait_until)
    process.send(number)
    wait_until(lambda: not alive(pid) and not alive(spare))


def test_an_unknown_node_is_named_with_those_that_there_are():
    done = subprocess.run(
        [sys.executable, "-m", "nodes.process", "nodes.supervise", "gat"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == "error: there is no node 'gat' to supervise; there are: agent, announce, gate, sim\n"
