# SPDX-License-Identifier: Apache-2.0
"""place_relative: put something down beside something else, as seen in the front camera's picture."""

from collections.abc import Mapping

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.language.vocabulary import RELATIONS
from embodied.motion.skills import SkillCall
from embodied.types import Float

OFFSETS: Mapping[str, tuple[float, float]] = {
    # The front camera looks along -x: its picture's left is -y, and nearer to it is +x.
    "left of": (0.0, -1.0),
    "right of": (0.0, 1.0),
    "in front of": (1.0, 0.0),
    "behind": (-1.0, 0.0),
}
"""Unit vectors in the world's x-y plane."""


@register
class PlaceRelative(Verb):
    """What a hand can grasp, beside anything."""

    name = "place_relative"
    sentence = "place {target} {relation} {reference}"
    ability = "place beside"
    relations = RELATIONS

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        assert plan.relation is not None and plan.reference is not None
        height = grasp_height_m(plan.target)
        goal = points_m[1] + plan.reference.thing.beside_m * np.array(OFFSETS[plan.relation])
        return SkillCall(skill="pick_place", points_m=np.stack([at_height(xy, height) for xy in (points_m[0], goal)]))
