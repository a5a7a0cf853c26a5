# SPDX-License-Identifier: Apache-2.0
"""if_there: one of two acts, by what is on the table."""

from collections.abc import Sequence

from embodied.language.nouns import Noun, with_article
from embodied.language.vocabulary import COLOURS
from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import register
from sim.tasks.asked import look_for
from sim.tasks.scenes import HELD_OUT_THINGS
from sim.tasks.spoken import Said, Spoken, some_plan

_KINDS = ("block", "bowl", "zone")


@register
class IfThere(Spoken):
    """If there is a red block do this, and otherwise that."""

    name = "if_there"

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        there = sorted({Noun(o.colour, o.kind) for o in objects}, key=str)
        every = [Noun(colour, kind) for kind in _KINDS for colour in COLOURS]
        asked = (there, [noun for noun in every if noun not in there])[talk.rng.integers(2)]
        asked = [noun for noun in asked if noun not in HELD_OUT_THINGS]
        one, two = some_plan(objects, talk), some_plan(objects, talk)
        if not asked or one is None or two is None or one == two or set(one.nouns) & set(two.nouns):
            return None
        noun = asked[talk.rng.integers(len(asked))]
        some = with_article(f"{noun.colour} {talk.kind(noun.kind)}")
        parts = talk.bare(one), talk.bare(two)
        words = talk.fill("if_there", some=some, one=parts[0], two=parts[1])
        plan, part = (one, parts[0]) if noun in there else (two, parts[1])
        return Said(words=words, plan=plan, looks=(look_for(noun.colour, noun.kind),), parts=(part,))
