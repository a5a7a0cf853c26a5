# SPDX-License-Identifier: Apache-2.0
"""Sees an arm move that nobody ordered to."""

import numpy as np

from embodied.arm import ArmModel
from embodied.types import Float

_DRIFT_RAD = 0.05
_SETTLE_S = 0.3
_READINGS = 2


class RestWatch:
    """Compares what is measured with where the arm was left at rest.

    Speed tells at once, creeping away tells by the distance. A place that no motion could have brought the arm to
    since the last reading (a simulator that was reset) is where it rests from then on.
    """

    def __init__(self, model: ArmModel, fastest_rad_s: float) -> None:
        self._model, self._fastest_rad_s = model, fastest_rad_s
        self._quiet_from_s = 0.0
        self._rest_rad: Float | None = None
        self._last: tuple[float, Float] | None = None
        self._fast = 0

    def ordered(self, until_s: float) -> None:
        """The arm was told to move, and to be at rest at `until_s`, on the clock of the readings."""
        self._quiet_from_s, self._rest_rad, self._fast = until_s + _SETTLE_S, None, 0

    def forget(self) -> None:
        """The clock was set back: nothing from before means anything."""
        self._quiet_from_s, self._rest_rad, self._last, self._fast = 0.0, None, None, 0

    def unordered(self, position_rad: Float, velocity_rad_s: Float, stamp_s: float) -> str:
        """What moves although nothing should, by a reading (N,) at `stamp_s`; empty where all is well."""
        last, self._last = self._last, (stamp_s, position_rad)
        if stamp_s < self._quiet_from_s:
            return ""
        jumped = last is not None and self._jumped(position_rad - last[1], stamp_s - last[0])
        if self._rest_rad is None or jumped:
            self._rest_rad, self._fast = position_rad, 0
            return ""
        speed, away = np.abs(velocity_rad_s), np.abs(position_rad - self._rest_rad)
        self._fast = self._fast + 1 if speed.max() > self._fastest_rad_s else 0
        if self._fast >= _READINGS:
            worst = int(speed.argmax())
            return f"{self._model.joint_names[worst]} moves at {speed[worst]:.2f} rad/s"
        if away.max() > _DRIFT_RAD:
            worst = int(away.argmax())
            return f"{self._model.joint_names[worst]} is {away[worst]:.3f} rad from where it rested"
        return ""

    def _jumped(self, way_rad: Float, time_s: float) -> bool:
        return bool((np.abs(way_rad) > 2.0 * self._model.max_velocity_rad_s * max(time_s, 1e-3) + _DRIFT_RAD).any())
