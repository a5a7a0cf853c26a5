# SPDX-License-Identifier: Apache-2.0
"""put_at: put something down in the middle of the table, or near one of its corners."""

from collections.abc import Mapping

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.places import free_place
from embodied.motion.skills import SkillCall
from embodied.types import Float

SPOTS_M: Mapping[str, tuple[float, float]] = {
    # Of the place where things may stand, as the front camera sees it: near is +x, left is -y.
    "middle": (0.50, 0.0),
    "near left": (0.62, -0.21),
    "near right": (0.62, 0.21),
    "far left": (0.38, -0.21),
    "far right": (0.38, 0.21),
}
"""x and y in the world."""


@register
class PutAt(Verb):
    """What a hand can grasp; where something stands already, as near to it as there is room."""

    name = "put_at"
    sentence = "put {target} at {relation}"
    ability = "put in the middle or in a corner"
    relations = tuple(SPOTS_M)

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        assert plan.relation is not None
        place = free_place(np.array(SPOTS_M[plan.relation]), others_m)
        points = np.stack([points_m[0], place])
        return SkillCall(skill="pick_place", points_m=at_height(points, grasp_height_m(plan.target)))
