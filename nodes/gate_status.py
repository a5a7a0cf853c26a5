# SPDX-License-Identifier: Apache-2.0
"""What the gate says of itself on `gate_status`."""

from collections.abc import Callable, Mapping
from dataclasses import asdict

from rclpy.node import Node
from std_msgs.msg import String

from embodied.safety.splice import Seam
from nodes.common import LATCHED, to_json


class GateStatus:
    """The state of the gate and of the motion that it is about; `facts` gives what else is said each time.

    `mark` tells apart two gates, and a gate from the one that was started after it.
    """

    def __init__(self, node: Node, mark: str, facts: Callable[[], Mapping[str, object]]) -> None:
        self._mark, self._facts = mark, facts
        self.state, self.id, self.reason = "idle", "", ""
        self.progress, self.part = 0.0, 0
        self._seam: Seam | None = None
        self._out = node.create_publisher(String, "gate_status", LATCHED)

    @property
    def text(self) -> str:
        """State and reason, for people."""
        return f"{self.state}: {self.reason}" if self.reason else self.state

    def say(self, state: str, motion_id: str, reason: str) -> None:
        """Change it, and tell at once."""
        if state == "executing":
            self.part, self._seam = 0, None
        self.state, self.id, self.reason = state, motion_id, reason
        self.publish()

    def take(self, part: int, seam: Seam) -> None:
        """A later part of the motion has taken over; tell where, at once."""
        self.part, self._seam = part, seam
        self.publish()

    def publish(self, **once: str) -> None:
        """Tell it as it is; `once` stands in this message alone."""
        status = {"state": self.state, "id": self.id, "reason": self.reason, "progress": round(self.progress, 3)}
        seam = {} if self._seam is None else {"seam": asdict(self._seam)}
        own = {"part": self.part, **seam, "gate": self._mark}
        self._out.publish(to_json({**status, **self._facts(), **own, **once}))
