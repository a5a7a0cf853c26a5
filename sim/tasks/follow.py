# SPDX-License-Identifier: Apache-2.0
"""What follows on a command that was carried out: another thing instead, the same once more, a question about it.

An episode has two parts: `earlier` is said and done first, then comes the instruction. How it is judged counts from
what the first part should have led to.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from embodied.language.nouns import Noun
from embodied.language.seen import NOTHING as NO_THING
from embodied.language.verbs import CANNOT, NOTHING, Plan
from embodied.motion.skills import SkillCall
from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import Episode, SceneState, register
from sim.tasks.asked import NO, YES, look_for, one, saying
from sim.tasks.long import InSteps, foreseen, holds
from sim.tasks.scenes import grounded, pair_is_held_out
from sim.tasks.spoken import Said, plain_plans, some_plan, with_other_targets

_NOTHING_BEFORE_SHARE = 0.3
"""Of questions what is held: nothing was said or done before them."""
_LEAST_CM = 3
"""Ways that are gone twice: two shorter ones may be off by half a centimetre each, and to no side."""
Next = tuple[str, Plan]
"""What is said then, and the plan that is right: a step or an answer."""


class Follow(InSteps):
    """A subclass says what the first part is about, and what comes then."""

    firsts: ClassVar[tuple[str, ...]] = ("touch", "pick_up")

    @property
    def verbs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*super().verbs, *self.firsts, "put_down")))

    @abstractmethod
    def next(self, first: Plan, now: Sequence[ObjectState], talk: Talk) -> Next | None:
        """What is said after the plan `first`, where things stand `now`; None where nothing of the kind can be."""

    def under_way(self, objects: Sequence[ObjectState], made: Sequence[Plan], talk: Talk) -> Said | None:
        found = self._both(objects, talk, made)
        if found is None:
            return None
        words, first, plan = found
        steps = (first,) if plan.refused else (first, plan)
        if tuple(made) != steps[: len(made)]:
            return None
        # The lines of the first part are those of training: it is not what is measured.
        earlier = Talk(talk.rng).act(first)
        return Said(
            words=words,
            plan=plan,
            steps=steps,
            earlier=earlier,
            before=1,
            unnoticed=self.unnoticed(first, plan),
            looks=self.looks(first),
        )

    def looks(self, first: Plan) -> tuple[Plan, ...]:
        """What there is to be looked for after the plan `first`, before it is clear what is meant."""
        return ()

    def unnoticed(self, first: Plan, plan: Plan) -> Plan | None:
        """What is right where the first part came to nothing; None where nobody can tell."""
        return None

    def oracle(self, episode: Episode, state: SceneState) -> SkillCall:
        """The first part, as long as nobody has touched what it is about; then what is left."""
        for plan in episode.steps[: episode.steps_before]:
            if str(plan.target) not in state.touched:
                return grounded(plan, state.objects.values())
        return super().oracle(episode, state)

    def _both(self, objects: Sequence[ObjectState], talk: Talk, made: Sequence[Plan]) -> tuple[str, Plan, Plan] | None:
        first = made[0] if made else some_plan(objects, talk, self.firsts)
        if first is None or first.verb not in self.firsts:
            return None
        found = self.next(first, foreseen(objects, first), talk)
        if found is None or pair_is_held_out(found[1]):
            return None
        return found[0], first, found[1]


@register
class Instead(Follow):
    """No, the blue one."""

    name = "instead"

    def next(self, first: Plan, now: Sequence[ObjectState], talk: Talk) -> Next | None:
        plans = with_other_targets(first, now)
        if not plans:
            return None
        plan = plans[talk.rng.integers(len(plans))]
        assert plan.target is not None and first.target is not None
        if plan.target.kind == first.target.kind and talk.rng.random() < 0.6:
            return talk.fill("instead_colour", colour=plan.target.colour), plan
        named = talk.noun(plan.target)
        return talk.fill(talk.key(("instead", "follow_other")), c=named, x=named), plan


@register
class TheOther(Follow):
    """Not that one, the other one: there are two of its kind."""

    name = "the_other"

    def next(self, first: Plan, now: Sequence[ObjectState], talk: Talk) -> Next | None:
        assert first.target is not None
        like = [o for o in now if o.kind == first.target.kind]
        plans = [plan for plan in with_other_targets(first, now) if plan.nouns[0].kind == first.target.kind]
        if len(like) != 2 or len(plans) != 1:
            return None
        return talk.line("follow_not_that"), plans[0]

    def looks(self, first: Plan) -> tuple[Plan, ...]:
        assert first.target is not None
        return (look_for(kind=first.target.kind),)


@register
class Too(Follow):
    """And the blue one as well."""

    name = "too"
    firsts = ("touch", "put_in_bowl", "push_to")

    def next(self, first: Plan, now: Sequence[ObjectState], talk: Talk) -> Next | None:
        plans = [plan for plan in with_other_targets(first, now) if plan.target != first.reference]
        if not plans:
            return None
        plan = plans[talk.rng.integers(len(plans))]
        assert plan.target is not None
        named = talk.noun(plan.target)
        return talk.fill(talk.key(("too", "follow_too")), c=named, x=named), plan


@register
class Again(Follow):
    """Once more. What was touched is touched, however often: only a way that was gone twice can be told."""

    name = "again"
    firsts = ("move_by",)

    def next(self, first: Plan, now: Sequence[ObjectState], talk: Talk) -> Next | None:
        assert first.amount is not None
        if int(first.amount.split()[0]) < _LEAST_CM or first not in plain_plans(now, (first.verb,)):
            return None
        return talk.line(talk.key(("again", "follow_again"))), first


@register
class NowInto(Follow):
    """Now put it in the green bowl."""

    name = "now_into"
    firsts = ("pick_up",)

    def next(self, first: Plan, now: Sequence[ObjectState], talk: Talk) -> Next | None:
        plans = [plan for plan in plain_plans(now, ("put_in_bowl",)) if plan.target == first.target]
        if not plans:
            return None
        plan = plans[talk.rng.integers(len(plans))]
        assert plan.reference is not None
        return talk.fill("now_into", b=talk.noun(plan.reference)), plan


@register
class TakeBack(Follow):
    """Undo that: what is held is put down; what was moved stays, since nobody remembers where it was."""

    name = "take_back"
    firsts = ("pick_up", "touch", "put_in_bowl", "stack")

    def next(self, first: Plan, now: Sequence[ObjectState], talk: Talk) -> Next | None:
        after = {"pick_up": "put_down", "touch": NOTHING}
        return talk.line("undo"), Plan(verb=after.get(first.verb, CANNOT))


class AskedAfter(Follow):
    """A question about what was done: a subclass says its key and its answer."""

    key: ClassVar[str]
    firsts: ClassVar[tuple[str, ...]] = ("touch", "pick_up", "put_in_bowl", "stack", "push_to", "place_relative")

    def next(self, first: Plan, now: Sequence[ObjectState], talk: Talk) -> Next | None:
        return talk.line(self.key), saying(self.expected(first))

    @abstractmethod
    def expected(self, first: Plan) -> str:
        """The answer, where the plan was carried out."""


@register
class AskDid(AskedAfter):
    """What did you do?"""

    name, key = "ask_did", "q_did"

    def expected(self, first: Plan) -> str:
        return first.text()

    def answer(self, episode: Episode, state: SceneState) -> str | None:
        return episode.plan.said if state.touched or state.moved(episode) else NO_THING


@register
class AskDone(AskedAfter):
    """Did it work? The truth is how things stand."""

    name, key = "ask_done", "q_done"
    doubts = True

    def expected(self, first: Plan) -> str:
        return YES

    def unnoticed(self, first: Plan, plan: Plan) -> Plan | None:
        return saying(NO)

    def answer(self, episode: Episode, state: SceneState) -> str | None:
        return YES if holds(episode.steps[0], replace(episode, steps_before=0), state) else NO


@register
class AskHolding(AskedAfter):
    """What are you holding?"""

    name, key = "ask_holding", "q_holding"
    firsts = ("pick_up", "pick_up", "touch", "put_in_bowl")

    def expected(self, first: Plan) -> str:
        assert first.target is not None
        return one(first.target) if first.verb == "pick_up" else NO_THING

    def under_way(self, objects: Sequence[ObjectState], made: Sequence[Plan], talk: Talk) -> Said | None:
        if not made and talk.rng.random() < _NOTHING_BEFORE_SHARE:
            return Said(words=talk.line(self.key), plan=saying(NO_THING))
        return super().under_way(objects, made, talk)

    def unnoticed(self, first: Plan, plan: Plan) -> Plan | None:
        return saying(NO_THING)

    def answer(self, episode: Episode, state: SceneState) -> str | None:
        if state.held is None:
            return NO_THING
        held = state.objects[state.held]
        return one(Noun(held.colour, held.kind))
