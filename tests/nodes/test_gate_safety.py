# SPDX-License-Identifier: Apache-2.0
"""The real gate against an arm that obeys or does not: the stop is never lost, and no force is kept up."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from embodied.safety import Latch
from tests.nodes.gate_bench import MODEL, Bench

# On a machine that is busy with other things a living node may be silent for longer than 0.3 s.
PATIENT = ("heartbeat_timeout_s:=1.5", "joint_states_timeout_s:=1.5", "max_proposal_age_s:=10.0")
WALL_RAD = 0.2


@pytest.fixture(scope="module")
def bench(ros: Any) -> Iterator[Bench]:
    from nodes.dds import local_transport

    # Before the first rclpy.init of this process, and the same as for the children.
    transport = local_transport(os.environ.get("ROS_DISTRO"))
    saved = {name: os.environ.get(name) for name in transport}
    os.environ.update(transport)
    bench = Bench(int(ros.env["ROS_DOMAIN_ID"]))
    try:
        yield bench
    finally:
        bench.close()
        for name, value in saved.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@pytest.fixture
def start_gate(ros: Any, bench: Bench) -> Iterator[Callable[..., Any]]:
    """Starts a gate as a process; at most one lives."""
    running: list[Any] = []

    def end() -> None:
        for process in running:
            process.send(signal.SIGKILL)
            process.wait()
        running.clear()

    def start(*parameters: str) -> Any:
        end()
        bench.gate = {}
        bench.history.clear()
        bench.diagnostics.clear()
        given = ("use_sim_time:=true", *PATIENT, *parameters)
        arguments = [item for parameter in given for item in ("-p", parameter)]
        running.append(ros.start("-m", "nodes.gate_node", "--ros-args", *arguments))
        bench.wait(lambda: bool(bench.gate), "no gate")
        return running[0]

    bench.home()
    yield start
    end()


@pytest.fixture
def latch(tmp_path: Path) -> Latch:
    """A latch that says released, in a folder of its own."""
    latch = Latch(tmp_path / "run" / "emergency_stop")
    assert latch.release() == ""
    return latch


def folder(latch: Latch) -> Path:
    assert latch.path is not None
    return latch.path.parent


def test_a_stop_outlives_the_folder_of_its_file_and_the_gate(
    bench: Bench, start_gate: Callable[..., Any], latch: Latch
) -> None:
    start_gate(f"latch_file:={latch.path}")
    bench.start("first")
    shutil.rmtree(folder(latch))
    answer = bench.call("stop")
    assert answer.success
    assert "could not" not in answer.message
    assert latch.read() == "emergency stop, latched before"
    bench.come_to_rest()
    assert bench.told_rad[0] < MODEL.home_rad[0] + 0.45, "it was stopped on its way"

    start_gate(f"latch_file:={latch.path}")
    assert (bench.gate["state"], bench.gate["stopped"]) == ("stopped", True)
    assert "emergency stop, latched before; call /gate_node/resume" in bench.gate["reason"]
    bench.wait(lambda: bench.gate["blocked"] == "", "the gate is not ready")
    bench.propose("second")
    assert "the emergency stop is latched" in bench.ended("second")["reason"]
    assert bench.call("resume").success
    bench.start("third")
    assert bench.ended("third")["state"] == "done"


def test_a_proposal_that_is_said_again_is_one_motion(bench: Bench, start_gate: Callable[..., Any]) -> None:
    """While it is executed it is not refused as a second one, and afterwards it is not made once more."""
    start_gate()
    bench.start("once")
    bench.say_again()
    assert bench.ended("once")["state"] == "done"
    bench.come_to_rest()
    there, heard = bench.told_rad, len(bench.history)
    bench.say_again()
    bench.wait(lambda: len(bench.history) > heard + 5, "the gate is silent")
    bench.come_to_rest()
    assert np.abs(bench.told_rad - there).max() < 1e-9
    assert {each["state"] for each in bench.history if each["id"] == "once"} == {"executing", "done"}


def test_a_stop_that_cannot_be_written_is_answered_kept_and_said(
    bench: Bench, start_gate: Callable[..., Any], latch: Latch
) -> None:
    process = start_gate(f"latch_file:={latch.path}")
    bench.start("first")
    assert latch.path is not None
    latch.path.unlink()
    latch.path.mkdir()
    words = f"{latch.path} could not be written (Is a directory)"
    answer = bench.call("stop")
    assert answer.success
    assert words in answer.message
    bench.come_to_rest()
    assert bench.gate["stopped"] is True
    assert words in bench.gate["reason"]
    process.wait_for(words)

    def told() -> list[Any]:
        return [s for s in list(bench.diagnostics) if s.level == s.ERROR and words in s.message]

    bench.wait(lambda: bool(told()), "the diagnostics do not say it")
    bench.wait(lambda: bench.gate["blocked"] == "", "the gate is not ready")
    bench.propose("second")
    assert "the emergency stop is latched" in bench.ended("second")["reason"]

    answer = bench.call("resume")
    assert answer.success
    assert "a gate that is started anew will be stopped" in answer.message
    bench.start("third")
    assert bench.ended("third")["state"] == "done"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "there is no "),
        (lambda path: shutil.rmtree(path.parent), "there is no "),
        (lambda path: path.write_text("\0"), "says neither released nor stopped"),
    ],
)
def test_a_gate_that_is_not_told_that_it_is_released_is_stopped(
    bench: Bench, start_gate: Callable[..., Any], latch: Latch, spoil: Callable[[Path], object], words: str
) -> None:
    assert latch.path is not None
    spoil(latch.path)
    start_gate(f"latch_file:={latch.path}")
    assert (bench.gate["state"], bench.gate["stopped"]) == ("stopped", True)
    assert words in bench.gate["reason"]
    assert "call /gate_node/resume" in bench.gate["reason"]
    assert bench.call("resume").success
    assert latch.read() == ""
    bench.start("first")


def test_without_a_file_a_gate_starts_released(bench: Bench, start_gate: Callable[..., Any]) -> None:
    start_gate()
    assert (bench.gate["state"], bench.gate["stopped"]) == ("idle", False)
    assert bench.call("stop").success
    assert bench.gate["stopped"] is True
    assert bench.call("resume").success


def assert_held_where_it_is(bench: Bench, hold: Any) -> None:
    """`hold` is what a joint trajectory controller accepts, and no force is left."""
    from nodes import conversions

    assert hold.header.stamp.sec == hold.header.stamp.nanosec == 0, "it begins when it arrives"
    time_s, position, velocity = conversions.from_points(hold, MODEL.joint_names)
    assert (np.diff(time_s, prepend=0.0) > 0.0).all()
    assert time_s[-1] <= 0.5
    np.testing.assert_array_equal(velocity[-1], np.zeros(MODEL.joints))
    bench.come_to_rest()
    assert hold not in [message for message, _ in bench.refused]
    assert np.abs(bench.told_rad - bench.measured_rad).max() < 1e-6
    assert position[-1, 0] == pytest.approx(bench.measured_rad[0], abs=1e-6)


def test_an_arm_that_does_not_follow_is_held_where_it_is(bench: Bench, start_gate: Callable[..., Any]) -> None:
    """Not where it was told to be: behind the obstacle that keeps it from going there."""
    start_gate()
    bench.wall_rad = WALL_RAD
    bench.start("pressed")
    assert "the arm does not follow: panda_joint1 is 0.1" in bench.ended("pressed")["reason"]
    bench.wait(lambda: bench.sent[-1].header.stamp.sec == 0, "no hold was sent")
    assert_held_where_it_is(bench, bench.sent[-1])
    assert bench.measured_rad[0] == pytest.approx(WALL_RAD, abs=1e-6)


def test_an_emergency_stop_keeps_up_no_pressure(bench: Bench, start_gate: Callable[..., Any]) -> None:
    start_gate()
    bench.wall_rad = WALL_RAD
    bench.start("pressed")
    bench.wait(lambda: bench.told_rad[0] > WALL_RAD + 0.05, "it does not press")
    assert bench.call("stop").success
    assert_held_where_it_is(bench, bench.sent[-1])
    assert bench.call("resume").success


def test_an_arm_that_does_not_arrive_is_held_where_it_is(bench: Bench, start_gate: Callable[..., Any]) -> None:
    start_gate()
    bench.wall_rad = 0.45  # the motion ends at 0.5
    bench.start("stuck")
    assert "the arm did not arrive: panda_joint1 is 0.050 rad off" in bench.ended("stuck")["reason"]
    assert_held_where_it_is(bench, bench.sent[-1])


def test_without_a_fault_the_arm_follows(bench: Bench, start_gate: Callable[..., Any]) -> None:
    start_gate()
    for motion_id in ("one", "two", "three"):
        bench.start(motion_id)
        assert bench.ended(motion_id)["state"] == "done", bench.gate


def test_when_the_clock_is_set_back_the_arm_is_held_where_it_is_found(
    bench: Bench, start_gate: Callable[..., Any]
) -> None:
    """Nothing is sent until the arm was measured anew: it may be another arm."""
    start_gate()
    bench.start("early")
    bench.publishing = False
    sent = len(bench.sent)
    bench.clock_jump_s -= 500.0
    bench.controller.hold(MODEL.home_rad + 0.1)
    assert "the clock went backwards" in bench.ended("early")["reason"]
    time.sleep(0.3)
    late = [message for message in bench.sent[sent:] if message.header.stamp.sec == 0]
    assert late == []
    bench.publishing = True
    bench.wait(lambda: bench.sent[-1].header.stamp.sec == 0, "no hold was sent")
    bench.come_to_rest()
    np.testing.assert_allclose(bench.told_rad, MODEL.home_rad + 0.1, atol=0.01)


def test_an_arm_that_nobody_knows_is_said(ros: Any) -> None:
    process = ros.start("-m", "nodes.gate_node", "--ros-args", "-p", "arm:=pandaa")
    assert process.wait() == 2
    assert "error: unknown arm 'pandaa'. Did you mean 'panda'?" in process.text


def test_a_gate_that_hung_and_wakes_does_not_go_on_by_itself(bench: Bench, start_gate: Callable[..., Any]) -> None:
    gate = start_gate()
    bench.start("slept")
    gate.send(signal.SIGSTOP)
    time.sleep(2.0)  # longer than it is patient
    bench.come_to_rest()
    place = bench.told_rad
    gate.send(signal.SIGCONT)
    assert "the gate itself stood still" in bench.ended("slept")["reason"]
    time.sleep(0.3)
    np.testing.assert_allclose(bench.told_rad, place, atol=2e-3)


def test_the_gate_shares_no_memory_with_those_who_may_die(bench: Bench, start_gate: Callable[..., Any]) -> None:
    """Who is killed or stopped with a lock in shared memory makes everybody wait who reads there."""

    def shares(pid: object) -> bool:
        return "/dev/shm/fast" in Path(f"/proc/{pid}/maps").read_text()

    gate = start_gate()
    assert bench.gate["state"] == "idle", "it is heard all the same"
    assert shares("self") and not shares(gate.pid)
