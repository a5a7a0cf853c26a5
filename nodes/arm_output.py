# SPDX-License-Identifier: Apache-2.0
"""The way out to the arm's controllers: pieces of trajectories and widths of the fingers."""

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from embodied.safety import Piece, RestWatch
from nodes import common, conversions
from nodes.arm_writers import MORE
from nodes.common import COMMAND, steady_s
from nodes.joint_states import JointStates

_SILENT_S = 1.0
"""A motion of which nothing was sent for so long does not go on, whatever holds the gate up."""


class ArmOutput:
    """Publishes `arm_controller/joint_trajectory`, marked as the gate's own, and `gripper_controller/commands`.

    `rest` hears what was ordered; `joints` knows what the driver calls them.
    """

    def __init__(self, node: Node, joints: JointStates, rest: RestWatch, mark: str) -> None:
        self._node, self._joints, self._rest, self._mark = node, joints, rest, mark
        self._arm = node.create_publisher(JointTrajectory, "arm_controller/joint_trajectory", COMMAND)
        self._gripper = node.create_publisher(Float64MultiArray, "gripper_controller/commands", COMMAND)
        self._width_m: float | None = None
        self._sent_s = 0.0

    @property
    def topics(self) -> tuple[str, str]:
        """Where it writes: trajectories, and widths."""
        return self._arm.topic_name, self._gripper.topic_name

    def begin(self) -> None:
        """A motion begins: what the fingers were told before counts no longer."""
        self._width_m, self._sent_s = None, steady_s()

    def trouble(self, now_s: float) -> str:
        """Why the motion under way does not go on, at `now_s` of steady time; empty where pieces of it are sent."""
        silent_s = now_s - self._sent_s
        if silent_s <= _SILENT_S:
            return ""
        return f"no piece of the motion could be sent for {silent_s:.1f} s: this machine is too busy for the gate"

    def send(self, piece: Piece, stamp_s: float, *, more: bool = False, ordered: bool = True) -> None:
        """Send a piece that begins at `stamp_s`, or when it arrives where that is zero; `more`: another is to come."""
        self._sent_s = steady_s()
        numbers = (piece.time_s, piece.position_rad, piece.velocity_rad_s)
        assert all(np.isfinite(values).all() for values in numbers), "a checked motion is finite"
        if piece.gripper_width_m not in (None, self._width_m):
            self._gripper.publish(Float64MultiArray(data=[piece.gripper_width_m]))
            self._width_m = piece.gripper_width_m
        names = self._joints.names
        frame_id = self._mark + MORE if more else self._mark
        self._arm.publish(conversions.to_arm_trajectory(names, *numbers, stamp_s=stamp_s, frame_id=frame_id))
        if ordered:
            self._rest.ordered((stamp_s or common.now_s(self._node)) + float(piece.time_s[-1]))
