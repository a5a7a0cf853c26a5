# SPDX-License-Identifier: Apache-2.0
"""by_colour: something is called by its colour alone, or by its kind alone where any will do."""

from abc import abstractmethod
from collections.abc import Sequence

from embodied.language.nouns import Noun
from embodied.language.verbs import Plan
from embodied.types import ObjectState
from sim.phrases.talk import Talk, plural
from sim.tasks import register
from sim.tasks.asked import look_for
from sim.tasks.spoken import Said, Spoken, leftmost_first, some_plan, with_other_targets


class Loose(Spoken):
    """Some things will do as well as the one that the plan names: a subclass says how it is called, and which."""

    @abstractmethod
    def called(self, target: Noun, talk: Talk, *, only: bool) -> str:
        """How the target is called, which is the `only` one that will do, or not."""

    @abstractmethod
    def may_be(self, one: Noun, other: Noun) -> bool:
        """Whether words that mean the one mean the other as well."""

    @abstractmethod
    def look(self, target: Noun) -> Plan:
        """What there is to be looked for."""

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        plan = some_plan(objects, talk)
        if plan is None or plan.target is None:
            return None
        target = plan.target
        if any(self.may_be(target, Noun(o.colour, o.kind)) and _is_named(plan, o) for o in objects):
            return None  # "stack any block on the red block"
        others = [each for each in with_other_targets(plan, objects) if self.may_be(target, each.nouns[0])]
        right = leftmost_first([plan, *others], objects)
        words = talk.act(plan, {"target": self.called(target, talk, only=not others)})
        return Said(words=words, plan=right[0], or_else=tuple(right[1:]), looks=(self.look(target),))


def _is_named(plan: Plan, item: ObjectState) -> bool:
    return Noun(item.colour, item.kind) in plan.nouns[1:]


@register
class ByColour(Loose):
    """Something red."""

    name = "by_colour"

    def called(self, target: Noun, talk: Talk, *, only: bool) -> str:
        return talk.line("np_some_colour", definite=only).format(colour=target.colour)

    def may_be(self, one: Noun, other: Noun) -> bool:
        return one.colour == other.colour

    def look(self, target: Noun) -> Plan:
        return look_for(colour=target.colour)


@register
class AnyOne(Loose):
    """Any block."""

    name = "any_one"

    def called(self, target: Noun, talk: Talk, *, only: bool) -> str:
        kind = talk.kind(target.kind)
        return talk.fill("np_any", kind=kind, kinds=plural(kind))

    def may_be(self, one: Noun, other: Noun) -> bool:
        return one.kind == other.kind

    def look(self, target: Noun) -> Plan:
        return look_for(kind=target.kind)
