# SPDX-License-Identifier: Apache-2.0
"""turn_by: turn something in its place, as seen from above."""

from collections.abc import Mapping

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.skills import SkillCall
from embodied.types import Float

SIGNS: Mapping[str, float] = {"clockwise": -1.0, "anticlockwise": 1.0}
AMOUNTS_DEG: Mapping[str, float] = {f"{deg} degrees": float(deg) for deg in (15, 30, 45, 60, 90, 120, 135, 180)}
_MARK_M = 0.03


@register
class TurnBy(Verb):
    """What a hand can grasp."""

    name = "turn_by"
    sentence = "turn {target} {relation} by {amount}"
    ability = "turn"
    relations = tuple(SIGNS)
    amounts = tuple(AMOUNTS_DEG)

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        angle = turn_rad(plan)
        mark = points_m[0] + _MARK_M * np.array([np.cos(angle), np.sin(angle)])
        return SkillCall(skill="turn", points_m=at_height(np.stack([points_m[0], mark]), grasp_height_m(plan.target)))


def turn_rad(plan: Plan) -> float:
    """The turn about the vertical that a plan of this verb asks for."""
    assert plan.relation is not None and plan.amount is not None
    return SIGNS[plan.relation] * float(np.radians(AMOUNTS_DEG[plan.amount]))
