# SPDX-License-Identifier: Apache-2.0
"""close: the fingers close where the hand is."""

from embodied.motion.skills import CLOSE_DWELL_S, Route, Skill, register
from embodied.types import Float


@register
class Close(Skill):
    """No point."""

    name = "close"
    points = 0
    needs_empty_hand = False
    stays = True

    def move(self, route: Route, points_m: Float) -> None:
        route.width_m = 0.0
        route.add(route.start, dwell_s=CLOSE_DWELL_S)
