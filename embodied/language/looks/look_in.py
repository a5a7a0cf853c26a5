# SPDX-License-Identifier: Apache-2.0
"""look_in: what is in or on a thing."""

from collections.abc import Sequence

from embodied.language.looks import NONE, Look, Slots, like, register
from embodied.language.seen import Entity, held_by, several


@register
class LookIn(Look):
    """All that is in it, or on it; of several things, in or on the first that holds something."""

    name = "look_in"
    sentence = "look in {target}"

    def found(self, plan: Slots, entities: Sequence[Entity]) -> str:
        holders = like(plan.target, entities)
        held = (held_by(holder, entities) for holder in holders)
        return several(next(filter(None, held), [])) if holders else NONE
