# SPDX-License-Identifier: Apache-2.0
"""Two clocks and what each is for.

Motion runs on the arm's clock (ROS time: simulated where the arm is simulated). Deadlines for the
other processes, and ages of what they say, run on the steady clock of this machine, which no simulator can stop or set.
"""

from __future__ import annotations

import bisect
import math
from collections import deque

_CATCHES_UP_S = 0.2
"""Steady time in which everything is heard that waited."""


class Watchdog:
    """Has something been heard within `timeout_s` of steady time? Silent before the first word."""

    def __init__(self, timeout_s: float) -> None:
        assert timeout_s > 0, timeout_s
        self.timeout_s = timeout_s
        self._heard_s = -math.inf

    def feed(self, now_s: float) -> None:
        """Something was heard at steady time `now_s`."""
        self._heard_s = now_s

    def silence_s(self, now_s: float) -> float:
        """Seconds since something was heard; infinite before the first time."""
        return now_s - self._heard_s

    def expired(self, now_s: float) -> bool:
        """Whether the silence is longer than allowed."""
        return not self.silence_s(now_s) <= self.timeout_s


class Stall:
    """Whether this process itself stood still: what it hears then is of before, for as long as it catches up.

    Args:
        patience_s: steady time between two ticks that is no stall yet.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._ticked_s = self._woke_s = -math.inf

    def tick(self, now_s: float) -> float:
        """It lives at steady time `now_s`; how long it had not."""
        away_s, self._ticked_s = now_s - self._ticked_s, now_s
        if away_s > self._patience_s:
            self._woke_s = now_s
        return away_s

    def just_ended(self, now_s: float) -> bool:
        """Whether a stall is not followed yet by a tick, or by time enough to hear what waited meanwhile."""
        return now_s - self._ticked_s > self._patience_s or now_s - self._woke_s <= _CATCHES_UP_S


class ClockScale:
    """How many seconds of the arm's clock pass in one steady second, over the last `window_s`.

    1 on a real arm. A simulator may run faster; the scale lets a reserve that is meant in steady time
    (how long the other side may be silent) be expressed in motion time.
    """

    def __init__(self, *, window_s: float = 1.0, lowest: float = 1.0, highest: float = 10.0) -> None:
        self._window_s = window_s
        self._lowest, self._highest = lowest, highest
        self._pairs: deque[tuple[float, float]] = deque()
        # Further back, and coarser: when the arm's clock showed what.
        self._arm_s: list[float] = []
        self._steady_s: list[float] = []

    def update(self, arm_s: float, steady_s: float) -> bool:
        """Note that both clocks showed these seconds. Returns False if the arm's clock went backwards."""
        forward = not self._pairs or arm_s >= self._pairs[-1][0]
        if not forward:
            for seen in (self._pairs, self._arm_s, self._steady_s):
                seen.clear()
        self._pairs.append((arm_s, steady_s))
        while len(self._pairs) > 2 and steady_s - self._pairs[1][1] >= self._window_s:
            self._pairs.popleft()
        self._arm_s.append(arm_s)
        self._steady_s.append(steady_s)
        if len(self._arm_s) > 2 * _REMEMBERED:
            del self._arm_s[:_REMEMBERED], self._steady_s[:_REMEMBERED]
        return forward

    def age_s(self, stamp_s: float, arm_s: float, steady_s: float) -> float:
        """Steady seconds since the arm's clock showed `stamp_s`, now that it shows `arm_s`; below zero ahead of it.

        What is older than anything remembered counts by the arm's clock.
        """
        if stamp_s > arm_s or not self._arm_s or stamp_s < self._arm_s[0]:
            return (arm_s - stamp_s) / (self.scale if stamp_s > arm_s else 1.0)
        first = bisect.bisect_left(self._arm_s, stamp_s)
        return steady_s - self._steady_s[first] if first < len(self._steady_s) else 0.0

    @property
    def scale(self) -> float:
        """The measured scale, within [lowest, highest]."""
        pairs = list(self._pairs)  # another thread may forget them meanwhile
        if len(pairs) < 2:
            return max(1.0, self._lowest)
        arm_s = pairs[-1][0] - pairs[0][0]
        steady_s = pairs[-1][1] - pairs[0][1]
        # A tenth of a window says little: both clocks are read in steps.
        if steady_s < 0.1 * self._window_s:
            return max(1.0, self._lowest)
        return min(max(arm_s / steady_s, self._lowest), self._highest)


_REMEMBERED = 3000
"""Readings of the clocks, 60 s of them at 50 Hz."""
