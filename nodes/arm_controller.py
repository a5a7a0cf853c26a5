# SPDX-License-Identifier: Apache-2.0
"""What ros2_control's joint trajectory controller does on a real arm, for the simulated one."""

import numpy as np

from embodied.errors import UnsafeCommandError
from embodied.motion.path import hermite
from embodied.types import Float


class ArmController:
    """Follows the newest trajectory and holds at its end.

    A new trajectory replaces the old one: the arm goes on from where it is commanded to be, and
    points that lie in the past are skipped.
    """

    def __init__(self, position_rad: Float, max_velocity_rad_s: Float) -> None:
        self._max_velocity_rad_s = max_velocity_rad_s
        self.hold(position_rad)

    def hold(self, position_rad: Float) -> None:
        """Forget any trajectory and stay at `position_rad` (N,)."""
        self._time_s = np.zeros(1)
        self._position_rad: Float = np.array(position_rad, dtype=np.float64)[None]
        self._velocity_rad_s: Float = np.zeros_like(self._position_rad)

    def follow(self, time_s: Float, position_rad: Float, velocity_rad_s: Float, *, now_s: float) -> None:
        """Go through points (T, N) at absolute times (T,) on the arm's clock, to rest at the last.

        Raises UnsafeCommandError, and goes on as before, for no points at all, numbers that are not
        finite, an end that is not at rest, times that do not increase or lie all in the past, and points
        that no joint is fast enough for.
        """
        if time_s.size == 0:
            raise UnsafeCommandError("a trajectory is empty")
        if not all(np.isfinite(values).all() for values in (time_s, position_rad, velocity_rad_s)):
            raise UnsafeCommandError("a trajectory holds a value that is not finite")
        if np.any(velocity_rad_s[-1] != 0.0):
            raise UnsafeCommandError("a trajectory does not end at rest")
        if np.any(np.diff(time_s) <= 0):
            raise UnsafeCommandError("the times of a trajectory do not increase")
        ahead = time_s > now_s + 1e-6
        if not ahead.any():
            raise UnsafeCommandError(f"a trajectory ended {now_s - time_s[-1]:.3f} s ago")
        here, speed = self.command(now_s)
        # A piece may come late: its first points are then too near in time and are passed over, so that the
        # arm catches up at a speed that it has.
        needed = np.abs(position_rad - here) / np.maximum(time_s - now_s, 1e-6)[:, None]
        within = ahead & (needed <= self._max_velocity_rad_s).all(axis=1)
        if not within.any():
            speeds = needed[-1] / self._max_velocity_rad_s
            worst = int(speeds.argmax())
            raise UnsafeCommandError(
                f"a trajectory begins with a jump: joint {worst + 1} would need {needed[-1, worst]:.1f} rad/s"
            )
        first = int(within.argmax())
        self._time_s = np.concatenate([[now_s], time_s[first:]])
        self._position_rad = np.concatenate([here[None], position_rad[first:]])
        self._velocity_rad_s = np.concatenate([speed[None], velocity_rad_s[first:]])

    def command(self, now_s: float) -> tuple[Float, Float]:
        """Position and velocity (N,) that the motors should have at `now_s`."""
        times = self._time_s
        if now_s >= times[-1]:
            return self._position_rad[-1], np.zeros_like(self._position_rad[-1])
        i = max(int(np.searchsorted(times, now_s, side="right")) - 1, 0)
        h = float(times[i + 1] - times[i])
        u = max(now_s - float(times[i]), 0.0) / h
        x0, x1 = self._position_rad[i], self._position_rad[i + 1]
        v0, v1 = self._velocity_rad_s[i], self._velocity_rad_s[i + 1]
        return hermite(u, h, x0, v0, x1, v1)
