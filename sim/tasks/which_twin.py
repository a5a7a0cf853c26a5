# SPDX-License-Identifier: Apache-2.0
"""which_twin: of things of one name, one is called by where it is, at once or when it is asked which is meant."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from embodied.language.dialogue import joined
from embodied.language.nouns import Noun
from embodied.language.verbs import Plan
from embodied.types import ObjectState
from sim.phrases import pick
from sim.phrases.talk import Talk
from sim.tasks import TABLETOP, make_task, register
from sim.tasks.answered import answer_by_place
from sim.tasks.scenes import HELD_OUT_THINGS
from sim.tasks.spoken import Said, plain_plans
from sim.tasks.which_is_meant import OneOfTwo
from sim.tasks.which_one import key_of, look_that_finds, named_besides, ways_to_call

_ANSWERS_SHARE = 0.35
"""Of what is said: a command that means several, and what is answered to the question which one."""


@register
class WhichTwin(OneOfTwo):
    """The left red block, where there are two; or "lift the red block", and then "the left one"."""

    name = "which_twin"
    has_scenes = True

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        counts = Counter(Noun(o.colour, o.kind) for o in objects)
        twins = [o for o in objects if counts[Noun(o.colour, o.kind)] > 1]
        if not twins:
            return None
        meant = twins[talk.rng.integers(len(twins))]
        noun = Noun(meant.colour, meant.kind)
        ways = [each for each in ways_to_call(meant, objects, by_name=True) if talk.may_say(key_of(each[0]))]
        plan = _some_plan(meant, objects, talk)
        if not ways or plan is None:
            return None
        way, others = ways[talk.rng.integers(len(ways))]
        slot = "target" if plan.target == noun else "reference"
        if talk.rng.random() < _ANSWERS_SHARE:
            kind = pick(("one", talk.kind(noun.kind)), talk.rng)
            answer = answer_by_place(way, others, kind, talk, of_two=counts[noun] == 2)
            words = joined(talk.act(plan), answer)
        else:
            named = named_besides(others, talk)
            called = talk.fill(key_of(way), kind=f"{noun.colour} {talk.kind(noun.kind)}", **named)
            words = talk.act(plan, {slot: called})
        names = tuple(meant.name if each == noun else str(each) for each in plan.nouns)
        return Said(words=words, plan=plan, meant=names, looks=(look_that_finds(way, noun, others),))


def _some_plan(meant: ObjectState, objects: Sequence[ObjectState], talk: Talk) -> Plan | None:
    """Something that can be done to or with this one, each task as likely; None where there is nothing."""
    noun = Noun(meant.colour, meant.kind)
    if noun in HELD_OUT_THINGS:
        return None
    others = [o for o in objects if Noun(o.colour, o.kind) != noun]
    twins = [o for o in objects if Noun(o.colour, o.kind) == noun and o is not meant]
    # A plan is judged by names: this one bears its own alone.
    alone = replace(meant, name=str(noun))
    whole = (alone, *others, *(replace(o, name=f"{noun} {number}") for number, o in enumerate(twins, start=2)))
    for name in (TABLETOP[i] for i in talk.rng.permutation(len(TABLETOP))):
        plans = [plan for plan in plain_plans((alone, *others), (name,)) if noun in plan.nouns[:2]]
        plans = [plan for plan in plans if make_task(name).goal_is_free(plan, whole)]
        if plans:
            return plans[talk.rng.integers(len(plans))]
    return None
