# SPDX-License-Identifier: Apache-2.0
"""What an arm is really told, judged without the code that tells it: numbers in, the worst share of each limit out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embodied.arm import ArmModel
from embodied.types import Float

STEP_S = 0.001


@dataclass(frozen=True)
class Sent:
    """One message to a joint trajectory controller: points at times from its stamp."""

    stamp_s: float
    time_s: Float
    position_rad: Float
    velocity_rad_s: Float


def followed(
    start_rad: Float, sent: Sequence[Sent], begin_s: float, end_s: float, start_rad_s: Float | None = None
) -> Float:
    """(T, N) where a controller wants the arm every millisecond: each message replaces the one before it.

    It starts at `start_rad` with the velocity `start_rad_s` (N,), at rest unless that is given.
    Between points it goes along the cubic polynomial of both positions and velocities.
    """
    times: Float = np.arange(round((end_s - begin_s) / STEP_S), dtype=np.float64) * np.float64(STEP_S) + np.float64(
        begin_s
    )
    stamps = [message.stamp_s for message in sent]
    told = np.empty((len(times), len(start_rad)))
    position: Float = start_rad
    velocity: Float = np.zeros_like(start_rad) if start_rad_s is None else start_rad_s
    told[: np.searchsorted(times, stamps[0])] = position
    for i, message in enumerate(sent):
        until_s = stamps[i + 1] if i + 1 < len(sent) else end_s + 1.0
        knots = np.concatenate([[0.0], message.time_s]) + message.stamp_s
        places = np.concatenate([position[None], message.position_rad])
        speeds = np.concatenate([velocity[None], message.velocity_rad_s])
        first, last = np.searchsorted(times, [message.stamp_s, until_s])
        told[first:last] = _cubics(knots, places, speeds, times[first:last])[0]
        [position], [velocity] = _cubics(knots, places, speeds, np.array([until_s]))
    return told


def _cubics(knots: Float, places: Float, speeds: Float, times: Float) -> tuple[Float, Float]:
    i = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
    h, tau = (knots[i + 1] - knots[i])[:, None], (times - knots[i])[:, None]
    x0, v0 = places[i], speeds[i]
    # The coefficients that the two far conditions ask for, from the power series.
    way, gain = places[i + 1] - x0 - v0 * h, speeds[i + 1] - v0
    c2, c3 = 3.0 * way / h**2 - gain / h, gain / h**2 - 2.0 * way / h**3
    inside = tau < h
    position = x0 + tau * (v0 + tau * (c2 + tau * c3))
    velocity = v0 + tau * (2.0 * c2 + 3.0 * tau * c3)
    return np.where(inside, position, places[i + 1]), np.where(inside, velocity, 0.0)


def shares(model: ArmModel, told: Float) -> dict[str, float]:
    """The largest share of each limit in places (T, N) a millisecond apart, by differences; 1 is at the limit.

    Of position: how far beyond, in radians, plus 1.
    """
    velocity = np.diff(told, axis=0) / STEP_S
    acceleration = np.diff(velocity, axis=0) / STEP_S
    jerk = np.diff(acceleration, axis=0) / STEP_S
    beyond = np.maximum(model.lower_rad - told, told - model.upper_rad).max()
    return {
        "position": 1.0 + float(beyond),
        "velocity": float((np.abs(velocity) / model.max_velocity_rad_s).max()),
        "acceleration": float((np.abs(acceleration) / model.max_acceleration_rad_s2).max()),
        "jerk": float((np.abs(jerk) / model.max_jerk_rad_s3).max()),
    }
