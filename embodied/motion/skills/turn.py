# SPDX-License-Identifier: Apache-2.0
"""turn: take something, turn it about the vertical, and put it down where it was."""

from collections.abc import Iterator

import numpy as np

from embodied.motion.hand import HandPose
from embodied.motion.skills import (
    APPROACH_SPEED_M_S,
    CLOSE_DWELL_S,
    OPEN_DWELL_S,
    RELEASE_WIDTH_M,
    Route,
    Skill,
    above,
    register,
)
from embodied.types import Float

LIFT_M = 0.02
"""What is turned does not rub on the table."""
TURN_SPEED_M_S = 0.15
"""A turn by a radian counts as 0.1 m of way."""
_CLOCKWISE_RAD, _ANTICLOCKWISE_RAD = -1.3, 2.8
"""How far from square a wrist turns everywhere on the table; the Panda's is the one that comes least far."""


@register
class Turn(Skill):
    """Point 0: where the fingers close. Point 1: beside it, where a mark would come that is now farther along x."""

    name = "turn"
    points = 2
    grasps = True

    def move(self, route: Route, points_m: Float) -> None:
        place, mark = points_m
        route.begin(route.open_m)
        for begin_rad, end_rad in grips(float(np.arctan2(*(mark - place)[1::-1]))):
            # By way of the middle: half a turn of the hand could be made either way round.
            last_rad = route.stops[-1].pose.yaw_rad
            route.add(above(place, 0.5 * (last_rad + begin_rad)))
            _one(route, place, begin_rad, end_rad)


def grips(turn_rad: float) -> Iterator[tuple[float, float]]:
    """From which yaw to which the hand turns in each grip; it looks the same after half a turn."""
    if turn_rad > _ANTICLOCKWISE_RAD:
        turn_rad -= 2.0 * np.pi
    if turn_rad >= _CLOCKWISE_RAD:
        yield 0.0, turn_rad
    else:
        # Two thirds of the way lie on the other side of the hand, where the wrist has more of it.
        yield 0.0, turn_rad / 3.0
        yield turn_rad / 3.0 + np.pi, turn_rad + np.pi


def _one(route: Route, place_m: Float, begin_rad: float, end_rad: float) -> None:
    """Close at one yaw and open at another."""
    lifted = place_m + np.array([0.0, 0.0, LIFT_M])
    route.width_m = route.open_m
    route.add(above(place_m, begin_rad))
    route.width_m = 0.0
    route.add(HandPose.down(place_m, begin_rad), speed_m_s=APPROACH_SPEED_M_S, dwell_s=CLOSE_DWELL_S)
    # Short stops keep the corners sharp: a rounded one would turn it before it is lifted.
    for yaw_rad in (begin_rad, end_rad):
        route.add(HandPose.down(lifted, yaw_rad), speed_m_s=TURN_SPEED_M_S, dwell_s=0.05)
    route.width_m = min(RELEASE_WIDTH_M, route.open_m)
    route.add(HandPose.down(place_m, end_rad), speed_m_s=TURN_SPEED_M_S, dwell_s=OPEN_DWELL_S)
    route.add(above(place_m, end_rad), speed_m_s=APPROACH_SPEED_M_S)
