# SPDX-License-Identifier: Apache-2.0
"""How an arm is brought to rest where it is, when the path that it was on can no longer be trusted."""

import numpy as np

from embodied.arm import ArmModel
from embodied.safety.streamer import Piece
from embodied.types import Float

_SHORTEST_S = 0.1
_STEP_S = 0.02
_SHARE = 0.5
"""Share of the arm's limits that is used: what was measured is old by a little, and the arm is disturbed."""


def hold(model: ArmModel, position_rad: Float, velocity_rad_s: Float, told_rad: Float) -> Piece:
    """From the measured position and velocity (N,) evenly to rest; the fingers stay as they are.

    A controller begins a new trajectory where it measures the arm or where it told the arm to be, each
    to its taste. So that the second kind does not jump either, no point comes earlier than the joints can
    be there from `told_rad` (N,).
    """
    fastest = model.max_velocity_rad_s
    velocity = np.clip(velocity_rad_s, -fastest, fastest)
    speed = np.maximum(np.abs(velocity), 1e-9)
    room = np.where(velocity > 0.0, model.upper_rad - position_rad, position_rad - model.lower_rad)
    brake_s = np.minimum(speed / (_SHARE * model.max_acceleration_rad_s2), 2.0 * room / speed)
    brake_s = np.maximum(brake_s, 1e-9)  # at a limit there is no room, and beyond it less than none
    back_s = float((np.abs(told_rad - position_rad) / (_SHARE * fastest)).max())
    length_s = max(_SHORTEST_S, float(brake_s.max()), back_s)
    time_s = np.linspace(0.0, length_s, int(np.ceil(length_s / _STEP_S)) + 1)[1:]
    time_s = time_s[time_s >= min(back_s, length_s)]
    share = np.minimum(time_s[:, None] / brake_s, 1.0)
    places = position_rad + velocity * brake_s * (share - 0.5 * share**2)
    return Piece(
        time_s=time_s,
        position_rad=np.clip(places, model.lower_rad, model.upper_rad),
        velocity_rad_s=velocity * (1.0 - share),
        gripper_width_m=None,
    )
