# SPDX-License-Identifier: Apache-2.0
"""Stamps as drivers write them: true, zero, of another clock, or going backwards."""

import math
from collections.abc import Callable

from builtin_interfaces.msg import Time
from rclpy.node import Node

from embodied.errors import ObservationError
from nodes.common import now_s
from nodes.conversions import from_time

SKEW_S = 1.0
"""How far a stamp may be from the clock of the graph before it cannot be meant."""


class Stamps:
    """The stamps of one source: each is judged when it comes."""

    def __init__(self, node: Node, allowed_s: Callable[[], float] = lambda: SKEW_S) -> None:
        self._node, self._allowed_s = node, allowed_s
        self.zero = False
        """Whether the source does not tell the time; then that of the arrival counts."""

    def read(self, stamp: Time, last_s: float = -math.inf) -> float:
        """The stamp in seconds. Raises ObservationError for one that cannot be true.

        `last_s` is the stamp of the message before.
        """
        arrived_s = now_s(self._node)
        self.zero = not (stamp.sec or stamp.nanosec)
        if self.zero:
            return arrived_s
        stamp_s, allowed_s = from_time(stamp), self._allowed_s()
        off_s = stamp_s - arrived_s
        # Where the clock stands at zero, no simulator has told the time yet.
        if arrived_s > 0.0 and not abs(off_s) <= allowed_s:
            side = "ahead of" if off_s > 0 else "behind"
            raise ObservationError(
                f"its stamp is {abs(off_s):.1f} s {side} this node's clock, at most {allowed_s:.1f} s are valid:"
                " do the driver and this node share one clock (use_sim_time, NTP)?"
            )
        if stamp_s < last_s:
            raise ObservationError(f"its stamp goes back by {last_s - stamp_s:.3f} s")
        return stamp_s
