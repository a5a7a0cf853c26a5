# SPDX-License-Identifier: Apache-2.0
"""touch: closed fingers come down on a place and leave it again."""

from embodied.motion.hand import HandPose
from embodied.motion.skills import APPROACH_SPEED_M_S, Route, Skill, above, register
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
        route.add(above(points_m[0]))
        route.add(HandPose.down(points_m[0]), speed_m_s=SPEED_M_S, dwell_s=DWELL_S)
        route.add(above(points_m[0]), speed_m_s=APPROACH_SPEED_M_S)
