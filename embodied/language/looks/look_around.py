# SPDX-License-Identifier: Apache-2.0
"""look_around: everything that is seen."""

from collections.abc import Sequence

from embodied.language.looks import ANY, THING, Look, Slots, like, register
from embodied.language.nouns import Noun
from embodied.language.seen import Entity, several


@register
class LookAround(Look):
    """Everything, from left to right."""

    name = "look_around"
    sentence = "look around"

    def found(self, plan: Slots, entities: Sequence[Entity]) -> str:
        return several(like(Noun(ANY, THING), entities))
