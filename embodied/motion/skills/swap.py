# SPDX-License-Identifier: Apache-2.0
"""swap: two things change places, one of them by way of a free place."""

from embodied.motion.skills import Route, Skill, register
from embodied.types import Float


@register
class Swap(Skill):
    """Points 0 and 1: where the fingers close on the one and on the other. Point 2: the free place."""

    name = "swap"
    points = 3
    grasps = True

    def move(self, route: Route, points_m: Float) -> None:
        one, other, aside = points_m
        route.begin(route.open_m)
        for start, goal in ((one, aside), (other, one), (aside, other)):
            route.take(start)
            route.let_go(goal)
