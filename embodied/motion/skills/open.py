# SPDX-License-Identifier: Apache-2.0
"""open: the fingers open where the hand is."""

from embodied.motion.skills import OPEN_DWELL_S, Route, Skill, register
from embodied.types import Float


@register
class Open(Skill):
    """No point."""

    name = "open"
    points = 0
    needs_empty_hand = False
    stays = True

    def move(self, route: Route, points_m: Float) -> None:
        route.width_m = route.open_m
        route.add(route.start, dwell_s=OPEN_DWELL_S)
