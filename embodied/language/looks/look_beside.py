# SPDX-License-Identifier: Apache-2.0
"""look_beside: which of some things stands so to another one."""

import math
from collections.abc import Sequence

import numpy as np

from embodied.language.looks import Choice, Slots, like, register
from embodied.language.seen import Entity
from embodied.language.verbs.place_relative import OFFSETS

NEAREST, FARTHEST = "nearest to", "farthest from"


@register
class LookBeside(Choice):
    """The nearest or the farthest one, or the nearest of those that stand more on that side than on another."""

    name = "look_beside"
    sentence = "look for {target} {relation} {reference}"
    relations = (NEAREST, FARTHEST, *OFFSETS)

    def chosen(self, plan: Slots, entities: Sequence[Entity]) -> Entity | None:
        assert plan.relation is not None
        others = like(plan.reference, entities)
        if not others:
            return None
        other = others[0]
        there = [each for each in like(plan.target, entities) if each is not other]
        if plan.relation in OFFSETS:
            there = [each for each in there if _is_on_that_side(each, other, plan.relation)]
        best = max if plan.relation == FARTHEST else min
        return best(there, key=lambda each: math.dist(each.place_m, other.place_m), default=None)


def _is_on_that_side(one: Entity, other: Entity, way: str) -> bool:
    along_m = float(np.subtract(one.place_m, other.place_m) @ np.array(OFFSETS[way]))
    return along_m > math.sqrt(0.5) * math.dist(one.place_m, other.place_m)
