# SPDX-License-Identifier: Apache-2.0
"""How fast a simulated clock runs: at its rate, and more slowly while the gate that leads the arm is behind."""

_LATE_S = 0.05
"""A gate sends a piece every 0.02 s, from what it heard a little before; 0.06 s after the newest one began the arm
slows down, and then is not where it should be."""
_SLOWED = 0.25
"""Share of the rate while the gate is behind: the clock and the joints go on, or they would be taken for dead."""
_PATIENCE_S = 0.4
"""Steady time for which one piece is waited on: after it, nothing more is to come of that motion."""


class Pace:
    """Simulated seconds in one second, from the pieces that lead the arm.

    A real arm does not wait. But where three processes share two slow cores a simulated one can, and then the motion is
    the one that a machine fast enough would have shown, only seen more slowly.

    Args:
        rate: simulated seconds in one second where nobody is behind; 0 is as fast as the machine can, and waits for
            nobody.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._begin_s = self._end_s = self._heard_s = float("-inf")

    def lead(self, begin_s: float, end_s: float, steady_s: float) -> None:
        """A piece came at `steady_s` that begins at `begin_s`, on the arm's clock, and that another is to replace
        before it ends at `end_s`; where nothing is to come, that is `begin_s`."""
        self._begin_s, self._end_s, self._heard_s = begin_s, end_s, steady_s

    def rate(self, arm_s: float, steady_s: float) -> float:
        """The rate now that the arm's clock shows `arm_s`."""
        # What is sent in steady time leads further in simulated time where that runs faster.
        late = arm_s - self._begin_s > _LATE_S * max(self._rate, 1.0)
        waits = late and arm_s < self._end_s and steady_s - self._heard_s < _PATIENCE_S
        return self._rate * _SLOWED if waits else self._rate
