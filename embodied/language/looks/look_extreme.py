# SPDX-License-Identifier: Apache-2.0
"""look_extreme: which of some things is furthest to one side."""

from collections.abc import Mapping, Sequence

import numpy as np

from embodied.language.looks import Choice, Slots, like, register
from embodied.language.seen import Entity
from embodied.language.verbs.place_relative import OFFSETS

EXTREMES: Mapping[str, str] = {
    "leftmost": "left of",
    "rightmost": "right of",
    "nearest": "in front of",
    "farthest": "behind",
}


@register
class LookExtreme(Choice):
    """The leftmost, the rightmost, the one nearest to the camera, or the one that is farthest from it."""

    name = "look_extreme"
    sentence = "look for {relation} {target}"
    relations = tuple(EXTREMES)

    def chosen(self, plan: Slots, entities: Sequence[Entity]) -> Entity | None:
        assert plan.relation is not None
        there, way = like(plan.target, entities), np.array(OFFSETS[EXTREMES[plan.relation]])
        return max(there, key=lambda entity: float(np.array(entity.place_m) @ way), default=None)
