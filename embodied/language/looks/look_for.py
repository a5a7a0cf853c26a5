# SPDX-License-Identifier: Apache-2.0
"""look_for: which there are of a colour and a kind, and how many."""

from collections.abc import Sequence

from embodied.language.looks import NONE, Look, Slots, like, register
from embodied.language.nouns import in_words
from embodied.language.seen import Entity, several


@register
class LookFor(Look):
    """All of them, from left to right: "two, a red block and a blue block"."""

    name = "look_for"
    sentence = "look for {target}"

    def found(self, plan: Slots, entities: Sequence[Entity]) -> str:
        there = like(plan.target, entities)
        return f"{in_words(len(there))}, {several(there)}" if there else NONE
