# SPDX-License-Identifier: Apache-2.0
"""The topics that the saboteur may stand in. No ROS is imported: the launch file reads this too."""

from dataclasses import dataclass

IMAGE, JOINTS, HEARTBEAT, PROPOSAL = (
    "camera/front/image_raw",
    "joint_states",
    "heartbeat",
    "proposed_trajectory",
)
CONTROL, STATE = "saboteur/order", "saboteur/state"


@dataclass(frozen=True)
class Stream:
    """A topic, and the node that speaks there."""

    topic: str
    speaker: str

    @property
    def raw(self) -> str:
        """What the node calls it when the saboteur stands in between."""
        return f"raw/{self.topic}"


STREAMS = (
    Stream(IMAGE, "sim_node"),
    Stream("camera/front/camera_info", "sim_node"),
    Stream("camera/front/pose", "sim_node"),
    Stream(JOINTS, "sim_node"),
    Stream(HEARTBEAT, "agent_node"),
    Stream(PROPOSAL, "agent_node"),
)
