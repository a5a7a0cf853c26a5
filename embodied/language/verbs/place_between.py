# SPDX-License-Identifier: Apache-2.0
"""place_between: put something down half way from one thing to another."""

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.skills import SkillCall
from embodied.types import Float


@register
class PlaceBetween(Verb):
    """What a hand can grasp, between any two."""

    name = "place_between"
    sentence = "place {target} between {reference} and {other}"
    ability = "place between"

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        points = np.stack([points_m[0], points_m[1:].mean(axis=0)])
        return SkillCall(skill="pick_place", points_m=at_height(points, grasp_height_m(plan.target)))
