# SPDX-License-Identifier: Apache-2.0
"""The gate alone writes to the arm: who else does is seen, by what comes and by who could."""

from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from nodes.common import COMMAND, steady_s

EVERY = QoSProfile(depth=50)
"""Of what the gate itself sends fifty times a second, nothing may push out what a stranger sends once."""
GATE = "gate-"
"""What the mark of every gate begins with."""
MORE = "+"
"""What stands behind the mark of a piece that another is to replace before it ends."""
_FRESH_S = 1.0
_UNKNOWN = "_NODE_NAME_UNKNOWN_"
"""What rmw calls a node whose endpoints came before its name."""


class ArmWriters:
    """Watches the topics of the arm's controllers for messages and publishers that are not the gate's own.

    What the gate sends carries `mark`, as the frame of its trajectories, which controllers do not read, and in its
    status. `on_stranger` is called when something else has come to the arm, and told whether a second gate sent it.
    """

    def __init__(self, node: Node, mark: str, topics: tuple[str, str], on_stranger: Callable[[bool], None]) -> None:
        self._node, self._mark, self._on_stranger = node, mark.encode(), on_stranger
        self._topics = topics
        self._heard_s = self._twin_s = float("-inf")
        self.strange_messages = 0
        # Bytes: nothing that comes from elsewhere is taken apart here.
        node.create_subscription(JointTrajectory, self._topics[0], self._on_bytes, EVERY, raw=True)
        node.create_subscription(String, "gate_status", self._on_status, COMMAND, raw=True)

    def trouble(self) -> str:
        """Who else writes to the arm; empty where nobody does."""
        if steady_s() - self._heard_s < _FRESH_S:
            return f"something else writes to {self._topics[0]} ({self._others() or 'unknown'}): end it"
        if steady_s() - self._twin_s < _FRESH_S:
            return "a second gate runs under this name: end one of them"
        others = self._others()
        return f"something else may write to the arm ({others}): end it" if others else ""

    def _on_bytes(self, message: bytes) -> None:
        if self._mark not in message:
            self._heard_s, self.strange_messages = steady_s(), self.strange_messages + 1
            self._on_stranger(GATE.encode() in message)

    def _on_status(self, message: bytes) -> None:
        if b'"gate": "' in message and self._mark not in message:
            self._twin_s = steady_s()

    def _others(self) -> str:
        """Names of other nodes that publish there.

        Publishers of this node's own name may be what discovery remembers of its dead predecessor; a twin that
        lives is known by what it sends.
        """
        own = (self._node.get_name(), self._node.get_namespace())
        found = set()
        for topic in self._topics:
            for info in self._node.get_publishers_info_by_topic(topic):
                if info.node_name == _UNKNOWN:
                    found.add("a node whose name has not come yet")
                elif (info.node_name, info.node_namespace) != own:
                    found.add(f"{info.node_namespace.rstrip('/')}/{info.node_name}")
        return ", ".join(sorted(found))
