# SPDX-License-Identifier: Apache-2.0
"""sweep_aside: push something out of the way, to the side that is nearer."""

import numpy as np

from embodied.geometry import beside
from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.skills import SkillCall
from embodied.types import Float

LENGTH_M = 0.12
_SLANTS_RAD = np.radians([0.0, 15.0, -15.0, 30.0, -30.0])
"""Ways aside, the straight one first."""
_BEHIND_M, _BEYOND_M = 0.08, 0.04
"""What the hand needs of the lane before the thing and after it."""
_ROOM_M = 0.12
"""Others that are this far from the lane are out of the way."""


@register
class SweepAside(Verb):
    """What a hand can grasp."""

    name = "sweep_aside"
    sentence = "sweep {target} aside"
    ability = "sweep aside"

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        [start] = points_m
        side = 1.0 if start[1] >= 0.0 else -1.0
        ways = np.column_stack([np.sin(_SLANTS_RAD), side * np.cos(_SLANTS_RAD)])
        # The first of those that have the most room.
        way = ways[np.argmax([min(_room_m(start, each, others_m), _ROOM_M) for each in ways])]
        points = np.stack([start, start + LENGTH_M * way])
        return SkillCall(skill="push", points_m=at_height(points, grasp_height_m(plan.target)))


def _room_m(start_m: Float, way: Float, others_m: Float) -> float:
    """How far the nearest of the others (M, 2) is from the lane of the push; infinite where there are none."""
    lane = np.stack([start_m - _BEHIND_M * way, start_m + (LENGTH_M + _BEYOND_M) * way])
    lane = np.column_stack([lane, np.zeros(2)])
    return min((float(beside(at_height(other, 0.0), lane)[1][0]) for other in others_m), default=np.inf)
