# SPDX-License-Identifier: Apache-2.0
"""Long tasks: what takes several plans, one after the other, each decided on what is seen after the last.

A family says `goal` about a scene: words, and the plans that it takes in the order in which they are learnt. Success is
judged by how things stand in the end, so that another order is as right where the words leave it open.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, NamedTuple

import numpy as np

from embodied.errors import EmbodiedError
from embodied.language.nouns import Noun
from embodied.language.verbs import Plan, parse_plan
from embodied.motion.skills import SkillCall
from embodied.things import thing_of
from embodied.types import Float, ObjectState
from sim.phrases.talk import Talk
from sim.tasks import TASKS, Episode, SceneState, make_task
from sim.tasks.scenes import distance_xy, grounded, let_go_m, pair_is_held_out, start_and_goal
from sim.tasks.spoken import Said, Spoken

LETS_LIE = frozenset({"touch", "pick_up"})
"""Verbs after which everything is on the table where it was."""
_HOLDS = {"put_in_bowl": "in", "stack": "on"}


class Goal(NamedTuple):
    """What somebody may want."""

    words: str
    steps: Sequence[Plan]
    looks: tuple[Plan, ...] = ()
    """What there is to be looked for before each step, where the words do not name the things."""
    parts: tuple[str, ...] = ()
    """The words of each step, where they name all of it."""


class InSteps(Spoken):
    """A family of sentences that are judged by several plans."""

    doubts: ClassVar[bool] = False
    """Whether it asks if a step came about: in training, half of those steps then came to nothing."""

    @abstractmethod
    def under_way(self, objects: Sequence[ObjectState], made: Sequence[Plan], talk: Talk) -> Said | None:
        """What may have been said where the first steps are `made` by now; `objects` stand as before them."""

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        return self.under_way(objects, (), talk)

    def left(self, episode: Episode, state: SceneState) -> list[Plan]:
        """The steps that are still to be made, of those that the words ask for."""
        steps = episode.steps[episode.steps_before :]
        return [
            plan
            for number, plan in enumerate(steps)
            if not holds(plan, episode, state)
            and not any(later.target == plan.target and holds(later, episode, state) for later in steps[number + 1 :])
        ]

    def steps_left(self, episode: Episode, state: SceneState) -> int:
        return len(self.left(episode, state))

    def oracle(self, episode: Episode, state: SceneState) -> SkillCall:
        left = self.left(episode, state)
        if not left:
            raise EmbodiedError("nothing is left to do: look at steps_left before")
        return grounded(left[0], state.objects.values())

    def success(self, episode: Episode, state: SceneState) -> bool:
        return not self.left(episode, state) and not self.went_wrong(episode, state)

    def went_wrong(self, episode: Episode, state: SceneState) -> bool:
        """Whether something was moved or is held that no step names."""
        named = {str(noun) for plan in episode.steps for noun in plan.nouns}
        disturbed = state.moved(episode) | ({state.held} if state.held is not None else set())
        return bool(disturbed - named)

    def score(self, episode: Episode, state: SceneState) -> float:
        """1 on success; else 0.9 of the share of steps that were made, of those that were asked for."""
        if self.success(episode, state):
            return 1.0
        asked = len(episode.steps) - episode.steps_before
        return 0.9 * (1.0 - len(self.left(episode, state)) / max(1, asked))

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        left = self.left(episode, state)
        return grounded(left[0] if left else episode.plan, state.objects.values()).points_m[-1]


class Long(InSteps):
    """A family of sentences that take several plans."""

    @abstractmethod
    def goal(self, objects: Sequence[ObjectState], talk: Talk, made: Sequence[Plan] = ()) -> Goal | None:
        """What somebody may want of a scene; None where there is nothing of this kind to be said.

        A family that can say anything says what begins with the plans that are `made`.
        """

    def under_way(self, objects: Sequence[ObjectState], made: Sequence[Plan], talk: Talk) -> Said | None:
        found = self.goal(objects, talk, made)
        if found is None:
            return None
        steps = tuple(found.steps)
        if steps[: len(made)] != tuple(made) or not follow_each_other(steps, objects):
            return None
        return Said(words=found.words, plan=steps[0], steps=steps, looks=found.looks, parts=found.parts)


def holds(plan: Plan, episode: Episode, state: SceneState) -> bool:
    """Whether one plan of an episode is done, whatever else has been touched."""
    meant = episode.meant if plan == episode.plan else ()
    if plan.verb == "touch":
        return (meant[0] if meant else str(plan.target)) in state.touched
    objects = episode.objects
    for earlier in episode.steps[: episode.steps_before]:
        objects = foreseen(objects, earlier)
    alone = replace(episode, plan=plan, objects=objects, meant=meant, alternatives=(), steps=(), steps_before=0)
    # What is in the hand is judged by the plan that takes it there.
    held = state.held if state.held in alone.meant else None
    return make_task(plan.verb).success(alone, replace(state, held=held))


def came_about(step: str, episode: Episode, state: SceneState) -> bool | None:
    """Whether a plan in words is done; None of what is no plan, or no task's, or names what is not there."""
    try:
        plan = parse_plan(step)
    except ValueError:
        return None
    if plan.refused or plan.verb not in TASKS or not {str(noun) for noun in plan.nouns} <= state.objects.keys():
        return None
    return holds(plan, episode, state)


def follow_each_other(steps: Sequence[Plan], objects: Sequence[ObjectState]) -> bool:
    """Whether training may say every step, and each can be made after those before it."""
    for plan in steps:
        if pair_is_held_out(plan) or not make_task(plan.verb).goal_is_free(plan, tuple(objects)):
            return False
        objects = foreseen(objects, plan)
    return True


def foreseen(objects: Sequence[ObjectState], plan: Plan) -> tuple[ObjectState, ...]:
    """The scene after a plan, as it should come out, with nothing in the hand."""
    if plan.verb in LETS_LIE or plan.target is None:
        return tuple(objects)
    by_name = {o.name: o for o in objects}
    target = by_name[str(plan.target)]
    _, goal = start_and_goal(plan, objects)
    height = thing_of(target).origin_m
    if plan.verb in _HOLDS:
        reference = by_name[str(plan.reference)]
        height = reference.position_m[2] + let_go_m(target, reference, _HOLDS[plan.verb])
        lies_there = [o.position_m[2] for o in objects if o is not target and _lies_in_the_way(o, goal, height)]
        height = max([height, *(z + 2.0 * thing_of(target).origin_m for z in lies_there)])
    moved = replace(target, position_m=np.append(goal, height))
    return tuple(moved if o is target else o for o in objects)


def _lies_in_the_way(item: ObjectState, goal: Float, height_m: float) -> bool:
    """Whether what is let go at `goal` (2,) and `height_m` would begin inside of an object."""
    if thing_of(item).grasp is None:
        return False
    return distance_xy(item.position_m, goal) < 0.04 and abs(float(item.position_m[2]) - height_m) < 0.04


def of_kind(objects: Sequence[ObjectState], kind: str) -> list[Noun]:
    """Everything of a kind, leftmost first; empty where two have one name."""
    found = sorted((o for o in objects if o.kind == kind), key=lambda o: o.position_m[1])
    nouns = [Noun(o.colour, o.kind) for o in found]
    return nouns if len(set(nouns)) == len(nouns) else []
