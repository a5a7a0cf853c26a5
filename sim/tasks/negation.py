# SPDX-License-Identifier: Apache-2.0
"""negation: somebody says what not to do; nothing is to be done."""

from collections.abc import Sequence

from embodied.language.nouns import Noun
from embodied.language.verbs import NOTHING, Plan
from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import register
from sim.tasks.spoken import Said, Spoken, some_plan


@register
class Negation(Spoken):
    """ "Do not touch it", "leave it alone", "it could, but it is not to"."""

    name = "negation"

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        plan = some_plan(objects, talk)
        if plan is None or plan.target is None:
            return None
        key = ("forbid_act", "forbid_thing", "conditional_no")[talk.rng.integers(3)]
        words = talk.fill(key, act=talk.bare(plan), a=talk.noun(Noun(plan.target.colour, plan.target.kind)))
        return Said(words=words, plan=Plan(verb=NOTHING))
