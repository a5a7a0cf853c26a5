# SPDX-License-Identifier: Apache-2.0
"""place: put down what the hand holds."""

from embodied.motion.skills import APPROACH_SPEED_M_S, Route, Skill, register
from embodied.types import Float


@register
class Place(Skill):
    """Point 0: where the fingers open."""

    name = "place"
    points = 1
    needs_empty_hand = False

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(0.0, APPROACH_SPEED_M_S)
        route.let_go(points_m[0])
