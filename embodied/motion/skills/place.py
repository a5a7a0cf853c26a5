# SPDX-License-Identifier: Apache-2.0
"""place: put down what the hand holds."""

from embodied.motion.skills import APPROACH_SPEED_M_S, OPEN_DWELL_S, RELEASE_WIDTH_M, Route, Skill, register
from embodied.types import Float


@register
class Place(Skill):
    """Point 0: where the fingers open."""

    name = "place"
    points = 1

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(0.0, APPROACH_SPEED_M_S)
        route.visit(points_m[0], min(RELEASE_WIDTH_M, route.open_m), OPEN_DWELL_S)
