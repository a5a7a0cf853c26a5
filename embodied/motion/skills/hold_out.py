# SPDX-License-Identifier: Apache-2.0
"""hold_out: take something and hold it towards whoever stands before the arm."""

import numpy as np

from embodied.motion.hand import HandPose
from embodied.motion.skills import Route, Skill, register
from embodied.types import Float

OUT_M: Float = np.array([0.58, 0.0, 0.48])
"""Where the tool centre point stays: in front of home, and above what the front camera sees of the table."""


@register
class HoldOut(Skill):
    """Point 0: where the fingers close."""

    name = "hold_out"
    points = 1
    grasps = True
    stays = True

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(route.open_m)
        route.take(points_m[0])
        route.add(HandPose.down(OUT_M))
