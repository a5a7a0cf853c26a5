# SPDX-License-Identifier: Apache-2.0
"""push_to: slide something over the table onto a goal."""

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.skills import SkillCall
from embodied.things import Thing
from embodied.types import Float


@register
class PushTo(Verb):
    """What a hand can grasp, onto what marks a place."""

    name = "push_to"
    sentence = "push {target} to {reference}"
    ability = "push onto a zone"

    def refers(self, reference: Thing) -> bool:
        return reference.goal

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        height = grasp_height_m(plan.target)
        return SkillCall(skill="push", points_m=np.stack([at_height(xy, height) for xy in points_m]))
