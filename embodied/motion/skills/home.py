# SPDX-License-Identifier: Apache-2.0
"""home: out of the cameras' way, with whatever the hand holds."""

from embodied.motion.skills import APPROACH_SPEED_M_S, Route, Skill, register
from embodied.types import Float


@register
class Home(Skill):
    """No point: the way home is the end of every skill."""

    name = "home"
    points = 0
    needs_empty_hand = False

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(speed_m_s=APPROACH_SPEED_M_S)
