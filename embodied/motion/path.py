# SPDX-License-Identifier: Apache-2.0
"""A joint trajectory as a curve in time: cubic between its points, with its exact extremes."""

import numpy as np

from embodied.types import Float, JointTrajectory

_REST_RAD_S = 1e-3
CONTROL_PERIOD_S = 0.001
"""A jump of acceleration takes a controller at least one period: Franka's takes the next command after 1 ms."""


def hermite(u: Float | float, h: Float | float, x0: Float, v0: Float, x1: Float, v1: Float) -> tuple[Float, Float]:
    """Positions and velocities of the cubic from (x0, v0) to (x1, v1), which takes `h` seconds, at the
    share `u` of that time. Shapes that numpy can broadcast: (T, N) with (T, 1), or (N,) with a number."""
    position = (2 * u**3 - 3 * u**2 + 1) * x0 + (u**3 - 2 * u**2 + u) * h * v0
    position = position + (3 * u**2 - 2 * u**3) * x1 + (u**3 - u**2) * h * v1
    slope = 6 * u * (1 - u) * (x1 - x0) / h
    velocity = slope + (3 * u**2 - 4 * u + 1) * v0 + (3 * u**2 - 2 * u) * v1
    return position, velocity


def cubic_accelerations(h: Float, way: Float, v0: Float, v1: Float) -> tuple[Float, Float]:
    """At both ends of the cubic that goes a way from the velocity v0 to v1 in `h` seconds; shapes broadcast."""
    return (6 * way / h - 4 * v0 - 2 * v1) / h, (2 * v0 + 4 * v1 - 6 * way / h) / h


class TimedPath:
    """The cubic curve through the points of a trajectory, from the position and velocity `start` (N,) at time 0.

    Without a start it begins at rest: what lies before the first point is then the constant acceleration that
    reaches its velocity, so the whole curve is fixed by the trajectory alone: what is checked is what is executed.
    """

    def __init__(self, trajectory: JointTrajectory, start: tuple[Float, Float] | None = None) -> None:
        first_s = trajectory.time_s[0]
        assert first_s > 0, first_s
        self._from_rest = start is None
        if start is None:
            rest = trajectory.position_rad[0] - 0.5 * first_s * trajectory.velocity_rad_s[0]
            start = rest, np.zeros_like(rest)
        self.time_s: Float = np.concatenate([[0.0], trajectory.time_s])
        self.position_rad: Float = np.concatenate([start[0][None], trajectory.position_rad])
        self.velocity_rad_s: Float = np.concatenate([start[1][None], trajectory.velocity_rad_s])
        self.gripper_width_m: Float = np.concatenate([trajectory.gripper_width_m[:1], trajectory.gripper_width_m])

    @property
    def duration_s(self) -> float:
        """Time of the last point."""
        return float(self.time_s[-1])

    def sample(self, time_s: Float) -> tuple[Float, Float]:
        """Positions and velocities (T, N) at times (T,); the ends hold outside of the curve."""
        time_s = np.clip(time_s, 0.0, self.duration_s)
        index = self._segment(time_s)
        h = (self.time_s[index + 1] - self.time_s[index])[:, None]
        u = (time_s - self.time_s[index])[:, None] / h
        x0, x1 = self.position_rad[index], self.position_rad[index + 1]
        v0, v1 = self.velocity_rad_s[index], self.velocity_rad_s[index + 1]
        return hermite(u, h, x0, v0, x1, v1)

    def gripper_width_at(self, time_s: float) -> float:
        """Wanted distance of the fingers: that of the last point at or before `time_s`."""
        index = int(np.searchsorted(self.time_s, time_s + 1e-9, side="right")) - 1
        return float(self.gripper_width_m[max(index, 0)])

    def gripper_stops_s(self) -> Float:
        """Times at which the gripper gets a new width while the arm stands still, increasing."""
        changed = np.flatnonzero(np.abs(np.diff(self.gripper_width_m)) > 1e-6) + 1
        still = np.abs(self.velocity_rad_s[changed]).max(axis=1, initial=0.0) < _REST_RAD_S
        stops: Float = self.time_s[changed[still]]
        return stops

    def peak_position_rad(self, first: int = 0) -> tuple[Float, Float]:
        """Lowest and highest position (N,) anywhere on the curve from its segment number `first` on."""
        a, b, c = (each[first:] for each in self._quadratics()[1:])
        here, there = self.position_rad[first:-1], self.position_rad[first + 1 :]
        # Where the velocity is zero, the position turns.
        low, high = np.minimum(here, there), np.maximum(here, there)
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt(np.maximum(b * b - 4 * a * c, 0.0))
            # The stable form of the quadratic formula: no difference of near numbers.
            q = -0.5 * (b + np.where(b >= 0, root, -root))
            turns = (q / a, c / q)
        for u in turns:
            u = np.where(np.isfinite(u), np.clip(u, 0.0, 1.0), 0.0)
            x = here + u * (c + u * (b / 2 + u * a / 3))
            low, high = np.minimum(low, x), np.maximum(high, x)
        return low.min(axis=0), high.max(axis=0)

    def peak_velocity_rad_s(self) -> Float:
        """Largest speed (N,) anywhere on the curve."""
        h, a, b, c = self._quadratics()
        with np.errstate(divide="ignore", invalid="ignore"):
            u = -b / (2 * a)
        u = np.where(np.isfinite(u), np.clip(u, 0.0, 1.0), 0.0)
        middle = np.abs(c + u * (b + u * a)) / h
        peak: Float = np.maximum(middle.max(axis=0), np.abs(self.velocity_rad_s).max(axis=0))
        return peak

    def peak_acceleration_rad_s2(self) -> Float:
        """Largest acceleration (N,) anywhere on the curve; it is linear between points."""
        first, last = self._accelerations()
        peak: Float = np.maximum(np.abs(first), np.abs(last)).max(axis=0)
        return peak

    def peak_jerk_rad_s3(self) -> Float:
        """Largest jerk (N,) on the curve; at its points a jump of the acceleration, over CONTROL_PERIOD_S.

        What comes after the curve counts as rest where it ends at rest, and what comes before it where no start is
        given: one that is given has an acceleration of its own.
        """
        first, last = self._accelerations()
        inside = np.abs(last - first) / np.diff(self.time_s)[:, None]
        jumps = np.abs(first[1:] - last[:-1]).max(axis=0, initial=0.0)
        if self._from_rest:
            jumps = np.maximum(jumps, np.abs(first[0]))
        if np.abs(self.velocity_rad_s[-1]).max() < _REST_RAD_S:
            jumps = np.maximum(jumps, np.abs(last[-1]))
        peak: Float = np.maximum(inside.max(axis=0), jumps / CONTROL_PERIOD_S)
        return peak

    def _accelerations(self) -> tuple[Float, Float]:
        """At the beginning and at the end of each segment."""
        return cubic_accelerations(*self._segments())

    def _segment(self, time_s: Float) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
        return np.clip(np.searchsorted(self.time_s, time_s, side="right") - 1, 0, self.time_s.size - 2)

    def _segments(self) -> tuple[Float, Float, Float, Float]:
        v = self.velocity_rad_s
        return np.diff(self.time_s)[:, None], np.diff(self.position_rad, axis=0), v[:-1], v[1:]

    def _quadratics(self) -> tuple[Float, Float, Float, Float]:
        """The seconds h of each segment, and its velocity (a u^2 + b u + c) / h at the share u of them."""
        h, dx, v0, v1 = self._segments()
        return h, 3 * (h * (v0 + v1) - 2 * dx), 6 * dx - 2 * h * (2 * v0 + v1), h * v0
