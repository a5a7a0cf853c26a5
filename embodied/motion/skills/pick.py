# SPDX-License-Identifier: Apache-2.0
"""pick: take something between the fingers, lift it, and hold it at home."""

from embodied.motion.skills import Route, Skill, register
from embodied.types import Float


@register
class Pick(Skill):
    """Point 0: where the fingers close."""

    name = "pick"
    points = 1
    grasps = True

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(route.open_m)
        route.take(points_m[0])
