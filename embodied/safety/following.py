# SPDX-License-Identifier: Apache-2.0
"""Whether the arm is where it was told to be."""

import numpy as np

from embodied.safety.streamer import Streamer
from embodied.types import Float, Joints

MOST_RAD = 0.35
"""However fast a simulated clock runs, the tolerance grows to no more."""
_PUSHED_RAD = 0.03


class Following:
    """Compares a streamer with what is measured.

    Args:
        tolerance_rad: how far a joint may be from where it was told to be.
        believed_s: stamps that are further from now, in steady seconds, cannot be true and count as now.
    """

    def __init__(self, tolerance_rad: float, believed_s: float) -> None:
        self._tolerance_rad, self._believed_s = tolerance_rad, believed_s

    def away_rad(self, streamer: Streamer, measured: Joints, now_s: float, scale: float) -> Float:
        """How far (N,) the joints are from where they had been told to be when they were measured.

        Of the same instant, since a joint moves 0.1 rad while a message is on its way through a busy machine.
        """
        at_s = measured.stamp_s if abs(now_s - measured.stamp_s) <= self._believed_s * scale else now_s
        return np.abs(streamer.told_rad(at_s) - measured.position_rad)

    def complaint(
        self, streamer: Streamer, measured: Joints, now_s: float, scale: float, names: tuple[str, ...]
    ) -> str:
        """That the arm does not follow; empty where it does."""
        away = self.away_rad(streamer, measured, now_s, scale)
        # Messages to an arm with a fast clock come late by more of its seconds.
        allowed = max(self._tolerance_rad, min(self._tolerance_rad * scale, MOST_RAD))
        if away.max() <= allowed:
            return ""
        joint = names[int(away.argmax())]
        return f"the arm does not follow: {joint} is {away.max():.3f} rad off, at most {allowed:.3f}"

    def pushed(self, streamer: Streamer, measured: Joints, now_s: float, scale: float) -> bool:
        """Whether the arm is off its path: to brake on the path would keep up the pressure."""
        return bool(self.away_rad(streamer, measured, now_s, scale).max() > _PUSHED_RAD * scale)
