# SPDX-License-Identifier: Apache-2.0
"""hold_out: take something and hold it out to the person."""

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.skills import SkillCall
from embodied.types import Float


@register
class HoldOut(Verb):
    """What a hand can grasp."""

    name = "hold_out"
    sentence = "hold out {target}"
    ability = "hold out"

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        return SkillCall(skill="hold_out", points_m=at_height(points_m, grasp_height_m(plan.target)))
