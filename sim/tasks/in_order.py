# SPDX-License-Identifier: Apache-2.0
"""Several acts in one sentence, to be done in the order that it tells."""

from collections.abc import Sequence
from typing import ClassVar

from embodied.language.verbs import Plan
from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import register
from sim.tasks.long import Goal, Long, foreseen
from sim.tasks.spoken import some_plan

_SLOTS = ("one", "two", "three")
FIRST = ("touch", "put_in_bowl", "stack", "place_relative", "push_to")
"""What may come before something else: what is lifted would have to be put back."""
LAST = (*FIRST, "pick_up")


class InOrder(Long):
    """A subclass says how many acts, and by which lines."""

    key: ClassVar[str]
    count: ClassVar[int] = 2

    def goal(self, objects: Sequence[ObjectState], talk: Talk, made: Sequence[Plan] = ()) -> Goal | None:
        steps, now = list[Plan](), tuple(objects)
        for number in range(self.count):
            verbs = LAST if number == self.count - 1 else FIRST
            plan = made[number] if number < len(made) else some_plan(now, talk, verbs)
            if plan is None or plan.verb not in verbs or any(_undoes(plan, earlier) for earlier in steps):
                return None
            steps.append(plan)
            now = foreseen(now, plan)
        return self.asked(steps, talk)

    def asked(self, steps: Sequence[Plan], talk: Talk) -> Goal:
        """What asks for these steps."""
        parts = tuple(talk.bare(plan) for plan in steps)
        return Goal(talk.fill(self.key, **dict(zip(_SLOTS, parts, strict=False))), steps, parts=parts)


def _undoes(plan: Plan, earlier: Plan) -> bool:
    """Whether a plan moves what an earlier one was about, or stacks where that one has stacked."""
    stacks = plan.verb == earlier.verb == "stack" and plan.reference == earlier.reference
    return stacks or plan.target in earlier.nouns


@register
class OneAct(InOrder):
    """A single act: when it is done, nothing else follows."""

    name = key = "one_act"
    count = 1

    def asked(self, steps: Sequence[Plan], talk: Talk) -> Goal:
        return Goal(talk.act(steps[0]), steps)


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
