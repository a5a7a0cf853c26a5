# SPDX-License-Identifier: Apache-2.0
"""pick_place: take something and put it down somewhere else, in one motion."""

from embodied.motion.skills import CLOSE_DWELL_S, OPEN_DWELL_S, RELEASE_WIDTH_M, Route, Skill, register
from embodied.types import Float


@register
class PickPlace(Skill):
    """Point 0: where the fingers close. Point 1: where they open."""

    name = "pick_place"
    points = 2
    grasps = True

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(route.open_m)
        route.visit(points_m[0], 0.0, CLOSE_DWELL_S)
        route.visit(points_m[1], min(RELEASE_WIDTH_M, route.open_m), OPEN_DWELL_S)
