# SPDX-License-Identifier: Apache-2.0
"""pick_place: take something and put it down somewhere else, in one motion."""

from embodied.motion.skills import Route, Skill, register
from embodied.types import Float


@register
class PickPlace(Skill):
    """Point 0: where the fingers close. Point 1: where they open."""

    name = "pick_place"
    points = 2
    grasps = True

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(route.open_m)
        route.take(points_m[0])
        route.let_go(points_m[1])
