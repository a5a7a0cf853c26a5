# SPDX-License-Identifier: Apache-2.0
"""pick: take something between the fingers, lift it, and hold it at home."""

from embodied.motion.hand import HandPose
from embodied.motion.skills import APPROACH_SPEED_M_S, CLOSE_DWELL_S, Route, Skill, above, register
from embodied.types import Float


@register
class Pick(Skill):
    """Point 0: where the fingers close."""

    name = "pick"
    points = 1
    grasps = True
    holds = True

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(route.open_m)
        grasp(route, points_m[0])


def grasp(route: Route, point_m: Float) -> None:
    """Down, close, up."""
    route.add(above(point_m))
    route.width_m = 0.0
    route.add(HandPose.down(point_m), speed_m_s=APPROACH_SPEED_M_S, dwell_s=CLOSE_DWELL_S)
    route.add(above(point_m), speed_m_s=APPROACH_SPEED_M_S)
