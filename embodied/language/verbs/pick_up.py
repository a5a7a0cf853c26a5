# SPDX-License-Identifier: Apache-2.0
"""pick_up: lift something and hold it."""

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.skills import SkillCall
from embodied.types import Float


@register
class PickUp(Verb):
    """What a hand can grasp."""

    name = "pick_up"
    sentence = "lift {target}"
    ability = "pick up"

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        return SkillCall(skill="pick", points_m=at_height(points_m[0], grasp_height_m(plan.target))[None])
