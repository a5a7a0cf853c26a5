# SPDX-License-Identifier: Apache-2.0
"""stack: one thing on top of another."""

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.skills import SkillCall
from embodied.things import Thing
from embodied.types import Float


@register
class Stack(Verb):
    """What a hand can grasp and what does not roll, onto what has a flat top that is wide enough."""

    name = "stack"
    sentence = "stack {target} on {reference}"
    ability = "stack"

    def takes(self, target: Thing) -> bool:
        return super().takes(target) and not target.rolls

    def refers(self, reference: Thing) -> bool:
        return "on" in reference.holds

    def suits(self, target: Thing, reference: Thing) -> bool:
        return reference.has_room_for(target)

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        return put(plan, points_m, "on")


def put(plan: Plan, points_m: Float, preposition: str) -> SkillCall:
    """Take the target and let it go in or on the reference."""
    assert plan.reference is not None
    height = grasp_height_m(plan.target)
    there = plan.reference.thing.holds[preposition] + height
    points = np.stack([at_height(points_m[0], height), at_height(points_m[1], there)])
    return SkillCall(skill="pick_place", points_m=points)
