# SPDX-License-Identifier: Apache-2.0
"""touch: bring the finger tips to something."""

from embodied.language.verbs import Plan, Verb, at_height, register
from embodied.motion.skills import SkillCall
from embodied.things import Thing
from embodied.types import Float


@register
class Touch(Verb):
    """Whatever it is."""

    name = "touch"
    sentence = "touch {target}"
    ability = "touch"

    def takes(self, target: Thing) -> bool:
        return True

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        assert plan.target is not None
        point = at_height(points_m[0], plan.target.thing.touch_height_m)
        return SkillCall(skill="touch", points_m=point[None])
