# SPDX-License-Identifier: Apache-2.0
"""How an arm is brought to rest where it is, when the path that it was on can no longer be trusted."""

import numpy as np

from embodied.arm import ArmModel
from embodied.motion.path import cubic_accelerations
from embodied.safety.streamer import Piece
from embodied.types import Float

_SHORTEST_S, _LONG_S = 0.1, 2.0
_STEP_S = 0.02
_SHARE = 0.9
"""Share of the arm's limits that is used: what was measured is old by a little, and the arm is disturbed."""


def hold(model: ArmModel, position_rad: Float, velocity_rad_s: Float, told: tuple[Float, Float]) -> Piece:
    """From the measured position and velocity (N,) evenly to rest; the fingers stay as they are.

    A controller begins a new trajectory where it measures the arm or where it told the arm to be, each to its taste.
    So that neither kind jolts, the first point comes when the limits allow it from there and from `told`: position and
    velocity (N,). A joint that is too fast for the room that is left brakes harder.
    """
    fastest = model.max_velocity_rad_s
    velocity = np.clip(velocity_rad_s, -fastest, fastest)
    speed = np.maximum(np.abs(velocity), 1e-9)
    room = np.where(velocity > 0.0, model.upper_rad - position_rad, position_rad - model.lower_rad)
    # To whole steps, since the curve through the points has no corner between them.
    steps = np.ceil(speed / (_SHARE * model.max_acceleration_rad_s2) / _STEP_S)
    # At a limit there is no room, and beyond it less than none.
    brake_s = np.maximum(np.minimum(steps * _STEP_S, 2.0 * room / speed), 1e-9)
    count = int(np.ceil(max(_LONG_S, float(brake_s.max())) / _STEP_S)) + 1
    time_s = np.linspace(_STEP_S, count * _STEP_S, count)
    share = np.minimum(time_s[:, None] / brake_s, 1.0)
    share[share > 1.0 - 1e-9] = 1.0  # rest is rest to the last bit, or a controller refuses all of it
    places = position_rad + velocity * brake_s * (share - 0.5 * share**2)
    places, speeds = np.clip(places, model.lower_rad, model.upper_rad), velocity * (1.0 - share)
    starts = (told, (position_rad, velocity))
    excess = np.max([_excess(model, start, places, speeds, time_s[:, None]) for start in starts], axis=0)
    harder = np.maximum(1.001 * speed / brake_s / model.max_acceleration_rad_s2, _SHARE)
    within = np.flatnonzero((excess <= harder).all(axis=1))
    first = int(within[0] if within.size else excess.max(axis=1).argmin())
    last = max(first, int(np.searchsorted(time_s, max(float(brake_s.max()), _SHORTEST_S) - 1e-9)))
    points = slice(first, last + 1)
    return Piece(
        time_s=time_s[points], position_rad=places[points], velocity_rad_s=speeds[points], gripper_width_m=None
    )


def _excess(model: ArmModel, start: tuple[Float, Float], places: Float, speeds: Float, time_s: Float) -> Float:
    """(T, N) share of the limits that the cubics from a start to each of the points take, until the times (T, 1)."""
    way, begin = places - start[0], start[1]
    first, last = cubic_accelerations(time_s, way, begin, speeds)
    acceleration = np.maximum(np.abs(first), np.abs(last)) / model.max_acceleration_rad_s2
    middle = np.abs(1.5 * way / time_s - 0.25 * (begin + speeds)) / model.max_velocity_rad_s
    excess: Float = np.maximum(acceleration, middle)
    return excess
