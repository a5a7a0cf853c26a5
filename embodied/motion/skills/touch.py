# SPDX-License-Identifier: Apache-2.0
"""touch: closed fingers come down on a place and leave it again."""

from embodied.motion.skills import Route, Skill, register
from embodied.types import Float

SPEED_M_S = 0.2
DWELL_S = 0.1


@register
class Touch(Skill):
    """Point 0: where the finger tips should arrive."""

    name = "touch"
    points = 1

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(0.0)
        route.visit(points_m[0], 0.0, DWELL_S, SPEED_M_S)
