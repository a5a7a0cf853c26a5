# SPDX-License-Identifier: Apache-2.0
"""The agent's side of the gate, with a node that only writes down what is published."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from embodied.arm import arm_model
from embodied.types import JointTrajectory

MODEL = arm_model("panda")
MOTION = JointTrajectory(
    joint_names=MODEL.joint_names,
    time_s=np.array([1.0]),
    position_rad=MODEL.home_rad[None],
    velocity_rad_s=np.zeros((1, 7)),
    gripper_width_m=np.array([0.08]),
)


class Node:
    """Of a node what the client uses; `sent` holds (topic, message)."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def create_publisher(self, _: object, topic: str, *__: object) -> Any:
        node = self

        class Publisher:
            def publish(self, message: Any) -> None:
                node.sent.append((topic, message))

        return Publisher()

    def create_subscription(self, *_: object) -> None:
        pass

    def create_timer(self, *_: object, **__: object) -> None:
        pass

    def get_clock(self) -> Any:
        from rclpy.clock import Clock

        return Clock()


def test_what_is_stopped_after_the_check_is_not_proposed_after_the_stop() -> None:
    """The callback stops just when the worker has found that its motion is still wanted."""
    from nodes.gate_client import GateClient

    node = Node()
    client = GateClient(node, MODEL.gripper_joints[0])
    outcome = client.execute(MOTION, stamp_s=1.0, on_tick=client.stop)
    assert (outcome.state, outcome.reason) == ("aborted", "it was stopped before it began")
    [(topic, stop)] = node.sent
    assert (topic, len(stop.points)) == ("proposed_trajectory", 0)
    client._beat()
    assert node.sent[-1][1].frame_id == "", "no heartbeat for what was stopped"


def test_a_stop_of_before_stops_nothing_that_comes_after() -> None:
    from std_msgs.msg import String

    from nodes.gate_client import GateClient

    node = Node()
    client = GateClient(node, MODEL.gripper_joints[0])
    client.stop()

    def answer() -> None:
        if len(node.sent) > 1:
            motion_id = node.sent[-1][1].header.frame_id
            client._on_status(String(data=f'{{"state": "done", "id": "{motion_id}"}}'))

    assert client.execute(MOTION, stamp_s=1.0, on_tick=answer).state == "done"
    assert [len(message.points) for _, message in node.sent] == [0, 1]
