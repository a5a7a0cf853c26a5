# SPDX-License-Identifier: Apache-2.0
"""if_there: one of two acts, by what is on the table."""

from collections.abc import Sequence

from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import register
from sim.tasks.in_order import in_one_case
from sim.tasks.spoken import Said, Spoken, some_plan


@register
class IfThere(Spoken):
    """If there is a red block do this, and otherwise that."""

    name = "if_there"

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        plan = some_plan(objects, talk)
        found = None if plan is None else in_one_case(plan, objects, talk)
        if plan is None or found is None:
            return None
        return Said(words=found.words, plan=plan, looks=found.looks, parts=found.parts)
