# SPDX-License-Identifier: Apache-2.0
"""Sentences that are no commands, or none that the arm can do: questions, remarks, what is impossible, other languages.

One family each, so that each is measured by itself.
"""

from collections.abc import Sequence
from typing import ClassVar

from embodied.language.nouns import Noun
from embodied.language.verbs import CANNOT, FOREIGN, NOTHING, QUESTION, Plan
from embodied.types import ObjectState
from sim.phrases.talk import Talk, plural
from sim.tasks import register
from sim.tasks.scenes import HELD_OUT_THINGS
from sim.tasks.spoken import Said, Spoken


class NoCommand(Spoken):
    """A subclass says which lines, and what they are answered with."""

    keys: ClassVar[tuple[str, ...]]
    answered: ClassVar[str]

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        things = [o for o in objects if Noun(o.colour, o.kind) not in HELD_OUT_THINGS]
        if not things:
            return None
        keys = [key for key in self.keys if talk.may_say(key)]
        thing = things[talk.rng.integers(len(things))]
        kind, called = talk.kind(thing.kind), talk.noun(Noun(thing.colour, thing.kind))
        key = keys[talk.rng.integers(len(keys))]
        return Said(
            words=talk.fill(key, a=called, x=called, kind=kind, kinds=plural(kind)), plan=Plan(verb=self.answered)
        )


@register
class Question(NoCommand):
    """It is answered, and never moves the arm."""

    name, answered = "question", QUESTION
    keys = ("ask_can",)


@register
class Remark(NoCommand):
    """Small talk, praise, complaints."""

    name, answered = "remark", NOTHING
    keys = ("remark", "remark_thing")


@register
class Impossible(NoCommand):
    """What such an arm cannot do, or must not."""

    name, answered = "impossible", CANNOT
    keys = ("impossible", "impossible_thing")


@register
class OtherLanguage(NoCommand):
    """Commands in other languages."""

    name, answered = "other_language", FOREIGN
    keys = ("foreign",)
