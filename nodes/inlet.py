# SPDX-License-Identifier: Apache-2.0
"""One topic's way in: what is malformed goes no further, and every refusal is counted and said."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from embodied.errors import EmbodiedError
from embodied.text import shown
from nodes.common import steady_s
from nodes.executor import informed

MOST_BYTES = 1 << 20
"""A message of lists that is longer is not even taken apart: that takes seconds for a list of 1e5 things."""
_QUIET = SubscriptionEventCallbacks(incompatible_qos=lambda _: None)


class Inlet:
    """A subscription whose callback `take` refuses a message by raising EmbodiedError.

    Args:
        qualities: one subscription each; where there are several, each hears what the other cannot.
        most_bytes: what is longer is refused before it is converted; None for messages that are one block of
            bytes (pictures), which cost the same however long they are.
        too_big: called with the length of a message that is too long; usually it is refused.
    """

    def __init__(
        self,
        node: Node,
        cls: type,
        topic: str,
        take: Callable[[Any], None],
        *qualities: QoSProfile,
        most_bytes: int | None = MOST_BYTES,
        too_big: Callable[[int], None] | None = None,
    ) -> None:
        self.topic, self.accepted, self.refused = topic, 0, 0
        self.reason = ""
        """Why the last of those that were refused was refused."""
        self.number: int | None = None
        """Of the newest message, as its publisher counts them upwards; None where the middleware does not say."""
        self.refused_s = self.accepted_s = -math.inf
        """When that was, and when a message was taken last, in steady time."""
        self._node, self._cls, self._take, self._most_bytes = node, cls, take, most_bytes
        self._too_big = too_big or self._refuse_size
        for quality in qualities:
            node.create_subscription(
                cls,
                topic,
                self.take if most_bytes is None else informed(self.hear),
                quality,
                raw=most_bytes is not None,
                event_callbacks=_QUIET if len(qualities) > 1 else None,
            )

    @property
    def complaint(self) -> str:
        """That the newest message was refused, and why; empty where it was taken or none came."""
        if self.refused_s <= self.accepted_s:
            return ""
        return f"a message on {self.topic} came but was refused because {self.reason}"

    def hear(self, data: bytes, about: Mapping[str, Any]) -> None:
        """Take a message as it travels, with what the middleware says about it."""
        self.number = about.get("publication_sequence_number")
        if self._most_bytes is not None and len(data) > self._most_bytes:
            self._too_big(len(data))
            return
        try:
            message: Any = deserialize_message(data, self._cls)
        except RuntimeError:
            self.refuse(f"its {len(data)} bytes are no {self._cls.__name__}")
            return
        self.take(message)

    def take(self, message: Any) -> None:
        """Take a message, or count why not."""
        try:
            self._take(message)
        except EmbodiedError as error:
            self.refuse(str(error))
            return
        self.accepted, self.accepted_s = self.accepted + 1, steady_s()

    def refuse(self, reason: str) -> None:
        """Count a message that is not taken."""
        self.refused, self.reason, self.refused_s = self.refused + 1, shown(reason), steady_s()
        text = f"a message on {self.topic} is refused: {self.reason}"
        self._node.get_logger().warning(text, throttle_duration_sec=5.0)

    def _refuse_size(self, size: int) -> None:
        self.refuse(f"it has {size} bytes; I take at most {self._most_bytes}")


def refusals(inlets: Iterable[Inlet]) -> dict[str, object]:
    """For the diagnostics: how many messages were refused, and why the last of them was."""
    heard: Sequence[Inlet] = list(inlets)
    latest = max(heard, key=lambda inlet: inlet.refused_s)
    return {
        "refused_messages": sum(inlet.refused for inlet in heard),
        "last_refused": f"{latest.topic}: {latest.reason}" if latest.refused else "",
    }
