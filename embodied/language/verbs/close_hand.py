# SPDX-License-Identifier: Apache-2.0
"""close_hand: close the fingers where the hand is."""

from embodied.language.verbs import Plan, Verb, register
from embodied.motion.skills import NO_POINTS_M, SkillCall
from embodied.types import Float


@register
class CloseHand(Verb):
    """No thing."""

    name = "close_hand"
    sentence = "close hand"
    ability = "close my hand"

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        return SkillCall(skill="close", points_m=NO_POINTS_M)
