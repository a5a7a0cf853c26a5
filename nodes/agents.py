# SPDX-License-Identifier: Apache-2.0
"""One agent alone is obeyed: who beats beside it, or in its name, is seen by the numbers of the messages."""

from collections import deque
from collections.abc import Callable

from rclpy.node import Node
from std_msgs.msg import Header

from nodes.common import NEWEST, steady_s
from nodes.inlet import Inlet

_FRESH_S = 1.0
_TURNS = 3
"""So often within `_FRESH_S` do numbers go back where two publish by turns; where one was started anew they do once."""


class Agents:
    """Hears `heartbeat` for `take`. A publisher counts its messages upwards: a number that goes back is another's.

    `stop` is told why, where another beats in the name of the motion under way (`motion` is its id), or beside it.
    """

    def __init__(
        self, node: Node, take: Callable[[Header], None], motion: Callable[[], str], stop: Callable[[str], None]
    ) -> None:
        self._node, self._take, self._motion, self._stop = node, take, motion, stop
        self._number, self._turns_s = 0, deque[float](maxlen=_TURNS)
        self.inlet = Inlet(node, Header, "heartbeat", self._on_beat, NEWEST)

    def count(self) -> int:
        """How many nodes publish it; one that was killed counts until it is forgotten, some seconds later."""
        return self._node.count_publishers(self._node.resolve_topic_name("heartbeat"))

    def trouble(self) -> str:
        """That two agents beat; empty where one does."""
        several = len(self._turns_s) == _TURNS and steady_s() - self._turns_s[0] < _FRESH_S
        return "a second agent runs, or beats as one: end one of them" if several else ""

    def _on_beat(self, message: Header) -> None:
        number, last = self.inlet.number, self._number
        if number is not None:
            self._number = number
            if number <= last:
                self._turns_s.append(steady_s())
                if trouble := self.trouble():
                    self._stop(trouble)
                elif message.frame_id == self._motion() != "":
                    self._stop("something else beats in the name of the agent")
        self._take(message)
