# SPDX-License-Identifier: Apache-2.0
"""A gate that stood still in the middle of a thought does not say it afterwards."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from embodied.motion.path import TimedPath
from embodied.safety import Piece, Stall, Streamer
from nodes.common import now_s, steady_s
from tests.nodes.gate_bench import MODEL, swing, with_open_fingers


class Sleepy(Streamer):
    """Stands still for a while once it has made a piece, as a process does that is stopped there."""

    asleep_s = 0.0

    def piece(self, now_s: float, *, scale: float = 1.0) -> Piece:
        made = super().piece(now_s, scale=scale)
        time.sleep(self.asleep_s)
        return made


def test_what_waited_is_of_before_until_it_was_heard() -> None:
    stall = Stall(0.3)
    assert stall.just_ended(5.0), "it did not live yet"
    stall.tick(5.0)
    assert stall.just_ended(5.1) and not stall.just_ended(5.25)
    for i in range(1, 40):
        stall.tick(5.0 + 0.02 * i)
    assert not stall.just_ended(5.9), "a late tick is no stall"
    assert stall.just_ended(7.0), "asleep, or woken by a message before the first tick"
    assert stall.tick(7.8) > 1.9
    assert stall.just_ended(7.9) and not stall.just_ended(8.05)


def test_a_piece_of_before_is_not_sent_after_it(ros: Any) -> None:
    import rclpy

    from nodes.gate_node import GateNode

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(ros.env["ROS_DOMAIN_ID"]))
    gate = GateNode(context=context)
    try:
        sent: list[Any] = []
        gate._out._arm.publish = sent.append
        streamer = Sleepy(TimedPath(with_open_fingers(*swing(MODEL.home_rad, 0.5))), MODEL)
        gate._advance(streamer, steady_s(), now_s(gate))
        assert len(sent) == 1
        end_rad = sent[0].points[-1].positions
        streamer.asleep_s = 0.3
        gate._advance(streamer, steady_s(), now_s(gate))
        assert len(sent) == 1
        np.testing.assert_allclose(streamer.told(now_s(gate) + 1.0)[0], end_rad, atol=1e-6)
    finally:
        gate.destroy_node()
        context.try_shutdown()


def test_a_motion_of_which_nothing_can_be_sent_comes_to_an_end(ros: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each tick is a little late nobody is judged, and no piece is sent: that is said, and not for ever."""
    import rclpy

    from nodes import gate_node

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(ros.env["ROS_DOMAIN_ID"]))
    gate = gate_node.GateNode(context=context)
    try:
        clock_s = steady_s()
        monkeypatch.setattr(gate_node, "steady_s", lambda: clock_s)
        gate._tick()
        gate._out.begin()
        gate._streamer = Streamer(TimedPath(with_open_fingers(*swing(MODEL.home_rad, 0.5))), MODEL)
        late_s = 0.2
        assert gate_node._STALL_S < late_s < gate._heartbeat.timeout_s
        for _ in range(4):
            clock_s += late_s
            gate._tick()
            assert gate._streamer is not None, "a moment passes"
        for _ in range(3):
            clock_s += late_s
            gate._tick()
        assert gate._streamer is None
        assert "no piece of the motion could be sent for 1" in gate._status.text
    finally:
        gate.destroy_node()
        context.try_shutdown()
