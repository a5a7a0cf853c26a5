# SPDX-License-Identifier: Apache-2.0
"""now: which part of what was said is to be done now."""

from collections.abc import Sequence

from embodied.language.looks import NONE, Look, Slots, register
from embodied.language.seen import Entity


@register
class Now(Look):
    """One of several acts, in the words in which it was asked for; it is then read by itself, as if nothing else had
    been said (least-to-most prompting, Zhou et al. 2022)."""

    name = "now"
    sentence = "now {said}"
    alone = True

    def found(self, plan: Slots, entities: Sequence[Entity]) -> str:
        return plan.said or NONE
