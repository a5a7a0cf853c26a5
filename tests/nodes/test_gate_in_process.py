# SPDX-License-Identifier: Apache-2.0
"""The gate's callbacks one by one, with clocks and faults of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from embodied.arm import arm_model
from embodied.safety import Latch


@pytest.fixture
def make(ros: Any) -> Iterator[Callable[..., Any]]:
    """Makes nodes of a class with these parameters, in a context of their own."""
    import rclpy
    from rclpy.parameter import Parameter

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(ros.env["ROS_DOMAIN_ID"]))
    nodes: list[Any] = []

    def make_node(cls: Any, *arguments: str, **parameters: Any) -> Any:
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        nodes.append(cls(*arguments, context=context, parameter_overrides=overrides))
        return nodes[-1]

    yield make_node
    for node in nodes:
        node.destroy_node()
    context.try_shutdown()


@pytest.mark.parametrize(("simulated", "scale"), [(False, 1.0), (True, 10.0)])
def test_only_a_simulated_clock_that_leaps_loosens_a_limit(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, simulated: bool, scale: float
) -> None:
    """A clock that NTP sets forward must not: the same for the gate and for the agent."""
    from rclpy.node import Node

    from nodes import gate_node, ros_arm

    gate = make(gate_node.GateNode, use_sim_time=simulated)
    arm = ros_arm.RosArm(make(Node, "agent", use_sim_time=simulated), arm_model("panda"), max_age_s=0.5)
    for shown_s, steady_s in ((100.0, 5.0), (160.0, 5.5)):
        monkeypatch.setattr(gate_node.common, "now_s", lambda _, shown_s=shown_s: shown_s)
        for module in (gate_node, ros_arm):
            monkeypatch.setattr(module, "steady_s", lambda steady_s=steady_s: steady_s)
        monkeypatch.setattr(ros_arm, "now_s", lambda _, shown_s=shown_s: shown_s)
        gate._tick()
        assert arm.watch_clock()
    assert gate._scale.scale == scale
    assert arm.max_age_s == 0.5 * scale


def test_the_following_tolerance_grows_to_no_more_than_a_third_of_a_radian(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    from nodes import gate_node

    gate = make(gate_node.GateNode, use_sim_time=True)
    gate._scale.update(0.0, 0.0)
    gate._scale.update(60.0, 1.0)
    gate._streamer, gate._measured = object(), object()
    gate._heartbeat.feed(1.0)
    monkeypatch.setattr(gate._joints, "problem", lambda **_: "")
    for away_rad, troubled in ((0.34, False), (0.36, True)):
        monkeypatch.setattr(gate._following, "away_rad", lambda *_, away_rad=away_rad: np.full(7, away_rad))
        assert (gate._trouble(1.0, 60.0) is not None) is troubled
    gate._streamer = gate._measured = None


@pytest.mark.parametrize("broken", ["_abort", "say"])
def test_a_stop_is_kept_whatever_else_fails(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: str
) -> None:
    from nodes import gate_node

    latch = Latch(tmp_path / "emergency_stop")
    assert latch.release() == ""
    gate = make(gate_node.GateNode, latch_file=str(latch.path))

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(gate._status if broken == "say" else gate, broken, fail)
    gate._streamer = object() if broken == "_abort" else None
    with pytest.raises(RuntimeError, match="broken"):
        gate._on_stop()
    gate._streamer = None
    assert gate._gate.stopped
    assert latch.read() == "emergency stop, latched before"


def test_a_stop_that_is_written_just_after_a_resume_counts(make: Callable[..., Any], tmp_path: Path) -> None:
    from std_srvs.srv import Trigger

    from nodes.gate_node import GateNode

    latch = Latch(tmp_path / "stop")
    latch.release()
    gate = make(GateNode, latch_file=str(latch.path))
    for _ in range(2):  # each time within one look at the file
        latch.stop()
        gate._read_latch()
        assert gate._gate.stopped
        gate._on_resume(Trigger.Request(), Trigger.Response())
        assert not gate._gate.stopped


def test_a_proposal_that_is_said_again_is_answered_and_not_judged_again(make: Callable[..., Any]) -> None:
    from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

    from nodes.gate_node import GateNode

    gate = make(GateNode)
    message = JointTrajectory(points=[JointTrajectoryPoint()])
    message.header.frame_id = "one"
    for sec, refused in ((1, 1), (1, 1), (2, 2)):  # as new as its stamp: one that names no motions must be heard too
        message.header.stamp.sec = sec
        gate._on_proposal(message)
        assert gate._counts["refused"] == refused
        assert (gate._status.state, gate._status.id) == ("refused", "one")
