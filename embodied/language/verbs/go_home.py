# SPDX-License-Identifier: Apache-2.0
"""go_home: the arm goes where it rests, with whatever it holds."""

from embodied.language.verbs import Plan, Verb, register
from embodied.motion.skills import NO_POINTS_M, SkillCall
from embodied.types import Float


@register
class GoHome(Verb):
    """No thing."""

    name = "go_home"
    sentence = "go home"
    ability = "go home"

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        return SkillCall(skill="home", points_m=NO_POINTS_M)
