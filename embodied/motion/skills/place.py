# SPDX-License-Identifier: Apache-2.0
"""place: put down what the hand holds."""

from embodied.motion.hand import HandPose
from embodied.motion.skills import APPROACH_SPEED_M_S, Route, Skill, above, register
from embodied.types import Float

RELEASE_WIDTH_M = 0.065
"""Wide enough to let a block go, narrow enough to spare its neighbours."""
OPEN_DWELL_S = 0.3


@register
class Place(Skill):
    """Point 0: where the fingers open."""

    name = "place"
    points = 1

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(0.0, APPROACH_SPEED_M_S)
        release(route, points_m[0])


def release(route: Route, point_m: Float) -> None:
    """Down, open, up."""
    route.add(above(point_m))
    route.width_m = min(RELEASE_WIDTH_M, route.open_m)
    route.add(HandPose.down(point_m), speed_m_s=APPROACH_SPEED_M_S, dwell_s=OPEN_DWELL_S)
    route.add(above(point_m), speed_m_s=APPROACH_SPEED_M_S)
