# SPDX-License-Identifier: Apache-2.0
"""put_down: put what the hand holds on the table, where there is room."""

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, register
from embodied.motion.places import free_place
from embodied.motion.skills import SkillCall
from embodied.types import Float

_BEFORE_M: Float = np.array([0.42, 0.0])
"""Where it would be put down on an empty table: before the arm at home."""
HEIGHT_M = 0.03
"""Where the fingers open: nobody says what it is. A centimetre above a block's grasp, so that nothing is pressed."""


@register
class PutDown(Verb):
    """Whatever is held."""

    name = "put_down"
    sentence = "put it down"
    ability = "put down what I hold"

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        place = free_place(_BEFORE_M, others_m)
        return SkillCall(skill="place", points_m=at_height(place, HEIGHT_M)[None])
