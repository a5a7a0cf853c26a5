# SPDX-License-Identifier: Apache-2.0
"""The gate alone moves the arm: strangers, twins and motion that nobody ordered are seen, said and stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("rclpy")

from embodied.types import Float
from tests.nodes import test_gate_safety
from tests.nodes.gate_bench import MODEL, Bench, swing

bench, start_gate = test_gate_safety.bench, test_gate_safety.start_gate


@contextmanager
def a_stranger(bench: Bench) -> Iterator[Callable[[tuple[Float, Float, Float]], None]]:
    """What somebody else says to the arm: times, positions and velocities from now on."""
    from trajectory_msgs.msg import JointTrajectory

    from nodes import conversions

    publisher = bench.node.create_publisher(JointTrajectory, "arm_controller/joint_trajectory", 1)
    try:
        bench.wait(lambda: publisher.get_subscription_count() >= 2, "the gate does not listen")
        yield lambda points: publisher.publish(
            conversions.to_arm_trajectory(MODEL.joint_names, *points, stamp_s=bench.now_s)
        )
    finally:
        bench.node.destroy_publisher(publisher)


@contextmanager
def a_second_who_beats(bench: Bench) -> Iterator[None]:
    """Somebody else who says twenty times a second that an agent lives."""
    from rclpy.qos import qos_profile_sensor_data
    from std_msgs.msg import Header

    second = bench.node.create_publisher(Header, "heartbeat", qos_profile_sensor_data)
    beats = bench.node.create_timer(0.05, lambda: second.publish(Header(frame_id="")))
    try:
        yield
    finally:
        bench.node.destroy_timer(beats)
        bench.node.destroy_publisher(second)


def test_a_stranger_on_the_arms_topic_ends_the_motion_and_forbids_the_next(
    bench: Bench,
    start_gate: Callable[..., Any],
) -> None:
    start_gate()
    bench.start("first")
    with a_stranger(bench) as say:
        say(swing(MODEL.home_rad, 1.0))
        ended = bench.ended("first")
        assert ended["state"] == "aborted"
        assert "something else writes to /arm_controller/joint_trajectory (" in ended["reason"]
        bench.come_to_rest()
        assert bench.measured_rad[0] < 0.5, "it is stopped long before the end of either way"
        bench.wait(lambda: "/bench): end it" in bench.gate["blocked"], "it is not named")
        bench.propose("second")
        assert "/bench): end it" in bench.ended("second")["reason"]
    bench.home()
    bench.wait(lambda: bench.gate["blocked"] == "", "it is forgiven")
    bench.start("third")
    assert bench.ended("third")["state"] == "done"


def test_motion_that_nobody_ordered_is_stopped_where_it_is(
    bench: Bench,
    start_gate: Callable[..., Any],
) -> None:
    process = start_gate()
    begin_rad = bench.move_and_rest()
    time_s, place, speed = swing(bench.measured_rad, -1.0)
    bench.controller.follow(bench.now_s + time_s, place, speed, now_s=bench.now_s)
    bench.wait(lambda: "I did not order it: panda_joint1 moves at" in bench.gate["blocked"], "it is not said")
    process.wait_for("I did not order it")
    bench.come_to_rest()
    assert abs(bench.measured_rad[0] - begin_rad) < 0.5

    def counted() -> bool:
        told = [value.value for s in list(bench.diagnostics) for value in s.values if value.key == "unordered_motions"]
        return "1" in told

    bench.wait(counted, "the diagnostics do not count it")
    bench.wait(lambda: bench.gate["blocked"] == "", "it stays blocked")


def test_a_simulator_that_was_reset_has_not_moved_by_itself(
    bench: Bench,
    start_gate: Callable[..., Any],
) -> None:
    start_gate()
    bench.start("ours")
    assert bench.ended("ours")["state"] == "done"
    bench.come_to_rest()
    bench.home()
    bench.wait(lambda: abs(bench.measured_rad[0] - MODEL.home_rad[0]) < 1e-6, "it is not at home")
    sent = len(bench.sent)
    time.sleep(1.0)
    assert len(bench.sent) == sent, "nothing is held that stands"
    bench.start("after")
    assert bench.ended("after")["state"] == "done", bench.gate


def test_the_motion_of_a_second_agent_is_refused_and_the_first_goes_on(
    bench: Bench,
    start_gate: Callable[..., Any],
) -> None:
    start_gate()
    bench.start("first")
    bench.propose("second")
    bench._motion_id = "first"  # whose heartbeat goes on
    assert "the motion first is under way" in bench.ended("second")["reason"]
    assert bench.ended("first")["state"] == "done"


def test_a_stranger_who_goes_on_does_not_move_an_arm_that_stands(
    bench: Bench,
    start_gate: Callable[..., Any],
) -> None:
    """The last that the arm hears is what the gate says."""
    start_gate()
    begin_rad = bench.move_and_rest()
    with a_stranger(bench) as say:
        for _ in range(20):
            say(swing(bench.measured_rad, -0.5))
            time.sleep(0.05)
    bench.come_to_rest()
    assert abs(bench.measured_rad[0] - begin_rad) < 0.03, "half a radian was asked for, twenty times"


def test_a_second_who_beats_is_seen_and_ends_the_motion_and_one_that_starts_anew_does_not(
    bench: Bench,
    start_gate: Callable[..., Any],
) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from std_msgs.msg import Header

    start_gate()
    bench.start("first")
    with a_second_who_beats(bench):
        ended = bench.ended("first")
        assert (ended["state"], "a second agent runs, or beats as one" in ended["reason"]) == ("aborted", True), ended
        bench.wait(lambda: "a second agent" in bench.gate["blocked"], "a motion would be taken")
    bench.wait(lambda: bench.gate["blocked"] == "", "it is not forgiven")
    bench.come_to_rest()
    old, bench._heartbeat_out = (
        bench._heartbeat_out,
        bench.node.create_publisher(Header, "heartbeat", qos_profile_sensor_data),
    )
    bench.node.destroy_publisher(old)
    time.sleep(0.5)  # it beats before it wants anything
    bench.start("second")
    assert bench.ended("second")["state"] == "done"


def test_what_beats_in_the_name_of_a_motion_is_not_its_agent(
    bench: Bench,
    start_gate: Callable[..., Any],
) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from std_msgs.msg import Header

    start_gate()
    forger = bench.node.create_publisher(Header, "heartbeat", qos_profile_sensor_data)
    bench.start("first")
    bench.wait(lambda: forger.get_subscription_count() >= 1, "the gate does not listen")
    forger.publish(Header(frame_id="first"))
    ended = bench.ended("first")
    bench.node.destroy_publisher(forger)
    assert (ended["state"], ended["reason"]) == ("aborted", "something else beats in the name of the agent")


def test_a_second_gate_under_the_same_name_is_noticed_by_both(
    ros: Any,
    bench: Bench,
    start_gate: Callable[..., Any],
) -> None:
    start_gate()
    twin = ros.start("-m", "nodes.gate_node", "--ros-args", "-p", "use_sim_time:=true")
    marks: dict[str, str] = {}

    def both_say_it() -> bool:
        marks.update({status["gate"]: status["blocked"] for status in list(bench.history)})
        # What the other sends to the arm is told before who it is.
        return len(marks) == 2 and all(marks.values()) and any("a second gate" in each for each in marks.values())

    try:
        bench.wait(both_say_it, "the twins do not see each other")
    except AssertionError as error:
        raise AssertionError(f"{error}; they say {marks}") from None
    finally:
        twin.send(9)
        twin.wait()
    bench.wait(lambda: bench.gate["blocked"] == "", "the one that is left is not ready")


def test_a_later_part_takes_over_and_an_old_one_does_not(
    bench: Bench,
    start_gate: Callable[..., Any],
) -> None:
    from nodes import conversions

    start_gate()
    bench.start("stream")
    bench.wait(lambda: bench.measured_rad[0] > 0.2, "it does not move")
    begin_s = bench.now_s
    joints = bench.controller.command(begin_s)[0]

    def part(number: int, reach_rad: float) -> None:
        bench.send(conversions.named("stream", number), *swing(joints, reach_rad, moving=True), begin_s)

    part(2, 0.35)
    bench.wait(lambda: bench.gate["part"] == 2, "the part does not take over")
    part(1, -0.35)
    ended = bench.ended("stream")
    assert (ended["state"], bench.gate["part"]) == ("done", 2)
    bench.come_to_rest()
    assert bench.measured_rad[0] == pytest.approx(joints[0] + 0.35, abs=0.01)
