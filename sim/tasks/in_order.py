# SPDX-License-Identifier: Apache-2.0
"""Several acts in one sentence, to be done in the order that it tells."""

from collections.abc import Sequence
from typing import ClassVar

from embodied.language.verbs import Plan
from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import register
from sim.tasks.long import Long, foreseen
from sim.tasks.spoken import some_plan

_SLOTS = ("one", "two", "three")
FIRST = ("touch", "put_in_bowl", "stack", "place_relative", "push_to")
"""What may come before something else: what is lifted would have to be put back."""
LAST = (*FIRST, "pick_up")


class InOrder(Long):
    """A subclass says how many acts, and by which lines."""

    key: ClassVar[str]
    count: ClassVar[int] = 2

    def goal(self, objects: Sequence[ObjectState], talk: Talk) -> tuple[str, Sequence[Plan]] | None:
        steps, now = list[Plan](), tuple(objects)
        for number in range(self.count):
            plan = some_plan(now, talk, LAST if number == self.count - 1 else FIRST)
            if plan is None or any(plan.target in earlier.nouns for earlier in steps):
                return None
            steps.append(plan)
            now = foreseen(now, plan)
        acts = {slot: talk.bare(plan) for slot, plan in zip(_SLOTS, steps, strict=False)}
        return talk.fill(self.key, **acts), steps


@register
class TwoActs(InOrder):
    """First this, then that."""

    name = key = "two_acts"


@register
class TwoBackwards(InOrder):
    """That, but this before."""

    name = key = "two_backwards"


@register
class ThreeActs(InOrder):
    """This, then that, then a third."""

    name = key = "three_acts"
    count = 3
