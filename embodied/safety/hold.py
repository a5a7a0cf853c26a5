# SPDX-License-Identifier: Apache-2.0
"""How an arm is brought to rest where it is, when the path that it was on can no longer be trusted."""

import numpy as np

from embodied.arm import ArmModel
from embodied.safety.streamer import Piece
from embodied.types import Float

_LENGTHS_S: Float = np.asarray(0.1 * 1.08 ** np.arange(40), dtype=np.float64)
_SHARE = 0.9
"""Share of the arm's limits that is used: what was measured is old by a little, and the arm is disturbed."""


def hold(model: ArmModel, position_rad: Float, velocity_rad_s: Float, told: tuple[Float, Float]) -> Piece:
    """From the measured position and velocity (N,) evenly to rest; the fingers stay as they are.

    A controller begins a new trajectory where it measures the arm or where it told the arm to be, each to its taste.
    So it gets the place of rest alone, at a time that the limits allow from there as from `told`, position and
    velocity (N,) both. Where that cannot be, since the arm is too fast for the room that is left, it brakes harder.
    """
    fastest = model.max_velocity_rad_s
    starts = [(position_rad, np.clip(velocity_rad_s, -fastest, fastest)), told]
    length = _LENGTHS_S[:, None]
    # (40, N) where the joints come to rest in each of the lengths
    rest = np.clip(position_rad + 0.5 * length * starts[0][1], model.lower_rad, model.upper_rad)
    excess = np.max([_excess(model, rest, length, *start) for start in starts], axis=(0, 2))
    within = np.flatnonzero(excess <= _SHARE)
    best = int(within[0] if within.size else excess.argmin())
    return Piece(
        time_s=_LENGTHS_S[best : best + 1],
        position_rad=rest[best : best + 1],
        velocity_rad_s=np.zeros((1, model.joints)),
        gripper_width_m=None,
    )


def _excess(model: ArmModel, rest_rad: Float, length_s: Float, position_rad: Float, velocity_rad_s: Float) -> Float:
    """(T, N) share of the limits that the cubic to rest takes, in each of the lengths (T, 1)."""
    way, brake = 6.0 * (rest_rad - position_rad) / length_s**2, velocity_rad_s / length_s
    acceleration = np.maximum(np.abs(way - 4.0 * brake), np.abs(2.0 * brake - way)) / model.max_acceleration_rad_s2
    # The cubic is fastest at one of its ends or halfway between them, to within what the share leaves.
    middle = np.abs(1.5 * (rest_rad - position_rad) / length_s - 0.25 * velocity_rad_s)
    jerk = np.abs(6.0 * brake - 2.0 * way) / length_s / model.max_jerk_rad_s3
    excess: Float = np.maximum.reduce([acceleration, middle / model.max_velocity_rad_s, jerk])
    return excess
