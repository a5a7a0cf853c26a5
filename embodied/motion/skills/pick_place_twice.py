# SPDX-License-Identifier: Apache-2.0
"""pick_place_twice: take something and put it down somewhere else, and then something else."""

from embodied.motion.skills import Route, Skill, register
from embodied.types import Float


@register
class PickPlaceTwice(Skill):
    """Points 0 and 2: where the fingers close. Points 1 and 3: where they open."""

    name = "pick_place_twice"
    points = 4
    grasps = True

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(route.open_m)
        for start, goal in points_m.reshape(2, 2, 3):
            route.take(start)
            route.let_go(goal)
