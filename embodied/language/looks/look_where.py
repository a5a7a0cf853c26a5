# SPDX-License-Identifier: Apache-2.0
"""look_where: where a thing is."""

from collections.abc import Sequence

from embodied.language.looks import NONE, Look, Slots, like, register
from embodied.language.seen import Entity, place_in_words


@register
class LookWhere(Look):
    """In or on what, or in which region of the table; of several things, where each is."""

    name = "look_where"
    sentence = "look where {target} is"

    def found(self, plan: Slots, entities: Sequence[Entity]) -> str:
        return ", ".join(place_in_words(each, entities) for each in like(plan.target, entities)) or NONE
