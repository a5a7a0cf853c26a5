# SPDX-License-Identifier: Apache-2.0
"""swap: two things change places."""

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.places import free_place
from embodied.motion.skills import SkillCall
from embodied.things import Thing
from embodied.types import Float


@register
class Swap(Verb):
    """Two things that a hand can grasp."""

    name = "swap"
    sentence = "swap {target} and {reference}"
    ability = "swap"

    def refers(self, reference: Thing) -> bool:
        return self.takes(reference)

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        aside = free_place(points_m.mean(axis=0), np.concatenate([points_m, others_m]))
        one, other = (grasp_height_m(noun) for noun in plan.nouns)
        return SkillCall(
            skill="swap",
            points_m=np.stack([at_height(points_m[0], one), at_height(points_m[1], other), at_height(aside, one)]),
        )
