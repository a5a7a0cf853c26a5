# SPDX-License-Identifier: Apache-2.0
"""Several acts in one sentence, to be done in the order that it tells."""

from collections.abc import Sequence
from typing import ClassVar

from embodied.language.nouns import Noun, with_article
from embodied.language.verbs import Plan
from embodied.language.vocabulary import COLOURS
from embodied.types import ObjectState
from sim.phrases import pick
from sim.phrases.talk import Talk
from sim.tasks import Episode, SceneState, register
from sim.tasks.asked import look_for
from sim.tasks.long import Goal, Long, foreseen
from sim.tasks.scenes import HELD_OUT_THINGS
from sim.tasks.spoken import some_plan
from sim.tasks.vqa import KINDS

_SLOTS = ("one", "two", "three")
_TOGETHER = ("{act}, but {no}", "{act}. {no}", "{no}. {act}", "{no}, just {act}", "{no}, but {act}")
"""An act, and what is not to be done."""
_FORBIDS_ALL = ("nothing", "everything", "still", "stay put", "stand by", "fine")
"""Words of lines that forbid every act."""
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
        return self.asked(steps, objects, talk)

    def asked(self, steps: Sequence[Plan], objects: Sequence[ObjectState], talk: Talk) -> Goal | None:
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

    def asked(self, steps: Sequence[Plan], objects: Sequence[ObjectState], talk: Talk) -> Goal | None:
        return Goal(talk.act(steps[0]), steps)


@register
class JustOne(InOrder):
    """A single act, with another one beside it that is forbidden, or for another case: that does not follow either."""

    name = key = "just_one"
    count = 1

    def asked(self, steps: Sequence[Plan], objects: Sequence[ObjectState], talk: Talk) -> Goal | None:
        (plan,) = steps
        way = (_but_not, _and_not, in_one_case)[talk.rng.integers(3)]
        return way(plan, objects, talk)

    def went_wrong(self, episode: Episode, state: SceneState) -> bool:
        """Also where something else was touched: it may be what was forbidden."""
        touched = state.touched - {str(noun) for noun in episode.plan.nouns} if episode.plan.verb == "touch" else ()
        return bool(touched) or super().went_wrong(episode, state)


def _but_not(plan: Plan, objects: Sequence[ObjectState], talk: Talk) -> Goal | None:
    """This, and not that one."""
    others = _others(plan, objects)
    if not others:
        return None
    other = others[talk.rng.integers(len(others))]
    return Goal(talk.fill("this_not_that", act=talk.bare(plan), x=talk.noun(other)), (plan,))


def _and_not(plan: Plan, objects: Sequence[ObjectState], talk: Talk) -> Goal | None:
    """This, but hands off that; or the other way round. No part of it is read alone: it would not tell what is
    forbidden."""
    others = _others(plan, objects)
    if not others:
        return None
    no = talk.fill("forbid_thing", a=talk.noun(others[talk.rng.integers(len(others))]))
    if any(word in no for word in _FORBIDS_ALL):
        return None
    return Goal(pick(_TOGETHER, talk.rng).format(act=talk.bare(plan), no=no), (plan,))


def in_one_case(plan: Plan, objects: Sequence[ObjectState], talk: Talk) -> Goal | None:
    """This where something is there, or where it is not; else another act."""
    there = {Noun(o.colour, o.kind): None for o in objects}
    every = [Noun(colour, kind) for kind in KINDS for colour in COLOURS]
    asked = (list(there), [noun for noun in every if noun not in there])[talk.rng.integers(2)]
    asked = [noun for noun in asked if noun not in HELD_OUT_THINGS]
    other = some_plan(objects, talk)
    if not asked or other is None or set(other.nouns) & set(plan.nouns):
        return None
    noun = asked[talk.rng.integers(len(asked))]
    act, some = talk.bare(plan), with_article(f"{noun.colour} {talk.kind(noun.kind)}")
    acts = (act, talk.bare(other)) if noun in there else (talk.bare(other), act)
    words = talk.fill("if_there", some=some, one=acts[0], two=acts[1])
    return Goal(words, (plan,), looks=(look_for(noun.colour, noun.kind),), parts=(act,))


def _others(plan: Plan, objects: Sequence[ObjectState]) -> list[Noun]:
    """What is there and no part of a plan."""
    return [noun for noun in dict.fromkeys(Noun(o.colour, o.kind) for o in objects) if noun not in plan.nouns]


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
