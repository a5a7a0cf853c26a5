# SPDX-License-Identifier: Apache-2.0
"""Words that mean one thing on one table, and on another table several: then it must be asked which is meant."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from embodied.language.nouns import Noun
from embodied.language.verbs import WHICH, Plan
from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import register
from sim.tasks.asked import look_for
from sim.tasks.scenes import HELD_OUT_THINGS
from sim.tasks.spoken import Said, Spoken, like, some_plan


@register
class TheOnly(Spoken):
    """ "The bowl": the only one there is, or one of several."""

    name = "the_only"

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        plan = some_plan(objects, talk)
        if plan is None or not plan.nouns:
            return None
        alone = {noun: len(like(noun, plan, objects)) == 1 for noun in plan.nouns}
        # As often the one as the other, where the scene lets both be said.
        only, several = ([n for n in plan.nouns if alone[n] == wanted] for wanted in (True, False))
        options = [each for each in (only, several) if each]
        nouns = options[talk.rng.integers(len(options))]
        noun = nouns[talk.rng.integers(len(nouns))]
        slot = "target" if noun == plan.target else "reference" if noun == plan.reference else "other"
        words = talk.act(plan, {slot: f"the {talk.kind(noun.kind)}"})
        which = Plan(verb=WHICH, target=Noun("", noun.kind))
        return Said(words=words, plan=plan if alone[noun] else which, looks=(look_for(kind=noun.kind),))


@register
class OneOfTwo(Spoken):
    """Two things of one colour and kind, and one of them is named."""

    name = "one_of_two"

    def staged(self, objects: tuple[ObjectState, ...], rng: np.random.Generator) -> tuple[ObjectState, ...] | None:
        """The scene with one thing in the colour of another one of its kind, unless two are alike already."""
        if len({(o.colour, o.kind) for o in objects}) < len(objects):
            return objects
        pairs = [
            (i, one)
            for one in objects
            for i, other in enumerate(objects)
            if other is not one and other.kind == one.kind and Noun(one.colour, one.kind) not in HELD_OUT_THINGS
        ]
        if not pairs:
            return None
        i, one = pairs[rng.integers(len(pairs))]
        twin = replace(objects[i], colour=one.colour, name=f"{one.colour} {one.kind} 2")
        return (*objects[:i], twin, *objects[i + 1 :])

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        counts = Counter(Noun(o.colour, o.kind) for o in objects)
        twins = [noun for noun, count in counts.items() if count > 1]
        if not twins:
            return None
        noun = twins[talk.rng.integers(len(twins))]
        # As if there were one of them.
        first = [o for o in objects if Noun(o.colour, o.kind) != noun or o.name == str(noun)]
        plan = some_plan(first, talk)
        if plan is None or noun not in plan.nouns:
            return None
        return Said(words=talk.act(plan), plan=Plan(verb=WHICH, target=noun))
