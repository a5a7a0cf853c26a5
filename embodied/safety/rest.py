# SPDX-License-Identifier: Apache-2.0
"""Sees an arm move that nobody ordered to."""

import numpy as np

from embodied.arm import ArmModel
from embodied.types import Float

_DRIFT_RAD = 0.05
_SETTLE_S = 0.3
_READINGS = 2
_QUIET_S = 0.5
"""An arm that somebody moves is at rest again when it has been for so long."""


class RestWatch:
    """Compares what is measured with where the arm was left at rest. Times are those of the arm's clock.

    Speed tells at once, creeping away tells by the distance. A place that no motion could have brought the arm to
    since the last reading (a simulator that was reset) is where it rests from then on.
    """

    def __init__(self, model: ArmModel, fastest_rad_s: float) -> None:
        self._model, self._fastest_rad_s = model, fastest_rad_s
        self._ordered_until_s = 0.0
        self._rest_rad: Float | None = None
        self.forget()

    def ordered(self, until_s: float) -> None:
        """The arm was told to move, and to be at rest at `until_s`."""
        self._ordered_until_s = max(self._ordered_until_s, until_s + _SETTLE_S)
        self._rest_rad, self._fast = None, 0

    def forget(self) -> None:
        """The clock was set back: nothing from before means anything."""
        self._ordered_until_s = 0.0
        self._rest_rad = None
        self._last: tuple[float, Float] | None = None
        self._fast, self._moved_s = 0, -np.inf
        self._words = ""

    def brakes(self, now_s: float) -> bool:
        """Whether the arm may still be on its way to a rest that was ordered."""
        return now_s < self._ordered_until_s

    def moves(self, position_rad: Float, velocity_rad_s: Float, now_s: float) -> bool:
        """Whether the arm moves although nothing should, by a reading (N,) that came at `now_s`."""
        last, self._last = self._last, (now_s, position_rad)
        if self.brakes(now_s):
            return False
        jumped = last is not None and self._jumped(position_rad - last[1], now_s - last[0])
        if self._rest_rad is None or jumped:
            self._rest_rad, self._fast = position_rad, 0
            return False
        speed, away = np.abs(velocity_rad_s), np.abs(position_rad - self._rest_rad)
        self._fast = self._fast + 1 if speed.max() > self._fastest_rad_s else 0
        if self._fast >= _READINGS:
            worst = int(speed.argmax())
            self._words = f"{self._model.joint_names[worst]} moves at {speed[worst]:.2f} rad/s"
            self._rest_rad = position_rad
        elif away.max() > _DRIFT_RAD:
            worst = int(away.argmax())
            self._words = f"{self._model.joint_names[worst]} is {away[worst]:.3f} rad from where it rested"
            self._rest_rad = position_rad
        else:
            return False
        self._moved_s = now_s
        return True

    def complaint(self, now_s: float) -> str:
        """What moved although nothing should; empty again when that is half a second ago."""
        return self._words if now_s - self._moved_s <= _QUIET_S else ""

    def _jumped(self, way_rad: Float, time_s: float) -> bool:
        return bool((np.abs(way_rad) > 2.0 * self._model.max_velocity_rad_s * max(time_s, 1e-3) + _DRIFT_RAD).any())
