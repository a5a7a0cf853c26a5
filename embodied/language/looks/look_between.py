# SPDX-License-Identifier: Apache-2.0
"""look_between: which of some things stands between two others."""

from collections.abc import Sequence

import numpy as np

from embodied.language.looks import Choice, Slots, like, register
from embodied.language.seen import Entity


@register
class LookBetween(Choice):
    """The one that is nearest to the way from one to the other."""

    name = "look_between"
    sentence = "look for {target} between {reference} and {other}"

    def chosen(self, plan: Slots, entities: Sequence[Entity]) -> Entity | None:
        ends = like(plan.reference, entities)[:1] + like(plan.other, entities)[:1]
        if len(ends) < 2:
            return None
        start, end = (np.array(each.place_m) for each in ends)
        way = end - start
        off_m = dict[float, Entity]()
        for each in like(plan.target, entities):
            from_start = np.subtract(each.place_m, start)
            share = float(from_start @ way) / max(float(way @ way), 1e-9)
            if each not in ends and 0.0 < share < 1.0:
                off_m[float(np.linalg.norm(from_start - share * way))] = each
        return off_m[min(off_m)] if off_m else None
