# SPDX-License-Identifier: Apache-2.0
"""move_by: put something down again so many centimetres away, as seen in the front camera's picture."""

from collections.abc import Mapping

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.language.verbs.place_relative import OFFSETS
from embodied.motion.skills import SkillCall
from embodied.types import Float

DIRECTIONS: Mapping[str, tuple[float, float]] = {
    "left": OFFSETS["left of"],
    "right": OFFSETS["right of"],
    "nearer": OFFSETS["in front of"],
    "further": OFFSETS["behind"],
}
"""Unit vectors in the world's x-y plane."""
AMOUNTS_M: Mapping[str, float] = {f"{cm} cm": 0.01 * cm for cm in (*range(1, 11), 12, 15, 20, 25)}


@register
class MoveBy(Verb):
    """What a hand can grasp."""

    name = "move_by"
    sentence = "move {target} {relation} by {amount}"
    ability = "move by some centimetres"
    relations = tuple(DIRECTIONS)
    amounts = tuple(AMOUNTS_M)

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        height = grasp_height_m(plan.target)
        points = np.stack([points_m[0], points_m[0] + way_m(plan)])
        return SkillCall(skill="pick_place", points_m=at_height(points, height))


def way_m(plan: Plan) -> Float:
    """(2,) how far along x and y a plan of this verb asks for."""
    assert plan.relation is not None and plan.amount is not None
    return AMOUNTS_M[plan.amount] * np.array(DIRECTIONS[plan.relation])
