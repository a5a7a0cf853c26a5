# SPDX-License-Identifier: Apache-2.0
"""open_hand: open the fingers where the hand is."""

from embodied.language.verbs import Plan, Verb, register
from embodied.motion.skills import NO_POINTS_M, SkillCall
from embodied.types import Float


@register
class OpenHand(Verb):
    """No thing."""

    name = "open_hand"
    sentence = "open hand"
    ability = "open my hand"

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        return SkillCall(skill="open", points_m=NO_POINTS_M)
