# SPDX-License-Identifier: Apache-2.0
"""A later piece of a streamed motion takes over from an earlier one while the arm moves."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from embodied.motion.path import TimedPath
from embodied.types import Float, JointTrajectory

BLENDS_S = (0.1, 0.15, 0.25, 0.4)
"""How long the change from one to the other takes: the first of these that the limits allow."""
_STEP_S = 0.02
_NEAREST_S = 0.005
_AWAY_S = 0.5
"""So much earlier or later than its time says may the later one be met."""
_BACK_RAD = 0.1
"""So much farther counts a place that is passed the other way."""
_SLOW = 1e-3
"""Product of the two velocities (rad^2/s^2) below which neither has a way."""
_LOOK_S = 0.005
_ASTRAY_RAD_S = 0.05
"""So much nearer must a place be to be met so much earlier or later."""

Curve = Callable[[Float], tuple[Float, Float]]
"""Positions and velocities (T, N) at times (T,)."""


@dataclass(frozen=True, kw_only=True)
class Seam:
    """Where one part of a motion takes over from another."""

    at_s: float  # on the arm's clock
    later_s: float  # on the later part's own
    blend_s: float  # for how long it is a mixture of both


def meeting_s(told: tuple[Float, Float], width_m: float, later: TimedPath, clock_s: float) -> float:
    """When `later` is nearest to where the arm was `told` to be, a position and a velocity (N,), about `clock_s`.

    Both lead along one way, but seldom equally fast: one knows of a corner or an end that the other does not. Where
    the later one stops for fingers that were told another width, `width_m`, it is met before.
    """
    stops_s = [stop for stop in later.gripper_stops_s().tolist() if later.gripper_width_at(stop) != width_m]
    clock_s = float(np.clip(clock_s, 0.0, min([later.duration_s, *stops_s[:1]])))
    last_s = min([clock_s + _AWAY_S, later.duration_s, *stops_s[:1]])
    time_s = np.append(np.arange(max(clock_s - _AWAY_S, 0.0), last_s, _LOOK_S), last_s)
    position, velocity = later.sample(time_s)
    away = np.abs(position - told[0]).max(axis=1) + _BACK_RAD * (velocity @ told[1] < -_SLOW)
    return float(time_s[(away + _ASTRAY_RAD_S * np.abs(time_s - clock_s)).argmin()])


def splice(earlier: Curve, width_m: float, later: TimedPath, later_s: float, blend_s: float) -> TimedPath:
    """From what was sent last, `earlier` at time 0, smoothly to `later`, which is at its `later_s` then.

    The weight of the later one is the quintic with no slope and no bend at its ends, so that the acceleration does
    not jump. The fingers, told `width_m` by the earlier one, keep to that until the later one says another width
    than it began with: it was decided before that was told.
    """
    mixed_s = np.linspace(0.0, blend_s, round(blend_s / _STEP_S) + 1)
    share = (mixed_s / blend_s)[:, None]
    weight = share**3 * (10.0 - 15.0 * share + 6.0 * share**2)
    slope = 30.0 * share**2 * (1.0 - share) ** 2 / blend_s
    (old, old_speed), (new, new_speed) = earlier(mixed_s), later.sample(later_s + mixed_s)
    position = old + weight * (new - old)
    velocity = old_speed + weight * (new_speed - old_speed) + slope * (new - old)
    rest = later.time_s > later_s + blend_s + _NEAREST_S
    time_s = np.concatenate([mixed_s, later.time_s[rest] - later_s])
    width = np.array([later.gripper_width_at(later_s + at) for at in mixed_s[1:].tolist()])
    width = np.concatenate([width, later.gripper_width_m[rest]])
    said = np.maximum.accumulate(width != later.gripper_width_m[0])
    trajectory = JointTrajectory(
        joint_names=(),
        time_s=time_s[1:],
        position_rad=np.concatenate([position[1:], later.position_rad[rest]]),
        velocity_rad_s=np.concatenate([velocity[1:], later.velocity_rad_s[rest]]),
        gripper_width_m=np.where(said, width, width_m),
    )
    return TimedPath(trajectory, (position[0], velocity[0]))
