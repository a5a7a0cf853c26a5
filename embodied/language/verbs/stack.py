# SPDX-License-Identifier: Apache-2.0
"""stack: one thing on top of another."""

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.skills import SkillCall
from embodied.things import Thing
from embodied.types import Float

SAME_PLACE_M = 0.02
"""What is no further from another thing stands under it."""
STOREY_M = 0.04
"""How much higher each of several things lies that were put into one place: a block's height."""


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
        return put(plan, points_m, "on", others_m, SAME_PLACE_M)


def put(plan: Plan, points_m: Float, preposition: str, others_m: Float, within_m: float) -> SkillCall:
    """Take the target and let it go in or on the reference; on top of what is there, `within_m` of its middle."""
    assert plan.reference is not None
    height = grasp_height_m(plan.target)
    there = others_m[np.linalg.norm(others_m - points_m[1], axis=1) <= within_m]
    goal = points_m[1] if preposition == "on" or not len(there) else there.mean(axis=0)
    goal_height = plan.reference.thing.holds[preposition] + height + STOREY_M * len(there)
    points = np.stack([at_height(points_m[0], height), at_height(goal, goal_height)])
    return SkillCall(skill="pick_place", points_m=points)
