# SPDX-License-Identifier: Apache-2.0
"""What a task is: a scene, words for it, a success predicate, a partial score and an oracle.

A task family is one small file. Splits: `seen`, `paraphrase` (held-out templates and nouns) and
`pair` (held-out attribute pairs: things that training never shows, or two colours that training
never names together).
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from embodied.errors import UnknownNameError
from embodied.plan import Plan, Thing, ground
from embodied.types import Float, ObjectState, SkillCall
from embodied.vocabulary import COLOURS, KINDS
from sim.tasks.words import fill, fillings, noun_phrase, pick, polite

SPLITS = ("seen", "paraphrase", "pair")
WORKSPACE_M = ((0.36, 0.64), (-0.23, 0.23))
"""x and y range of object centres."""

RADIUS_M: Mapping[str, float] = {"block": 0.03, "bowl": 0.065, "zone": 0.06}
"""Footprint radius of each kind, used to keep objects apart."""
CLEARANCE_M = 0.03
MIN_MOVE_M = 0.08
"""Goals nearer than this to the start are not asked for."""

REST_HEIGHT_M: Mapping[str, float] = {"block": 0.02, "bowl": 0.0, "zone": 0.0}

HELD_OUT_THINGS = frozenset({Thing("purple", "block"), Thing("yellow", "bowl"), Thing("green", "zone")})
"""Colour-kind pairs that no training scene shows and no training sentence names."""
HELD_OUT_COLOUR_PAIRS = frozenset(
    (COLOURS[i], COLOURS[(3 * i + 1) % len(COLOURS)]) for i in range(len(COLOURS))
)
"""(target colour, reference colour) that no training sentence names together."""


@dataclass(frozen=True, kw_only=True)
class SceneState:
    """Privileged state of the table."""

    objects: Mapping[str, ObjectState]
    held: str | None  # name of the object between closed fingers, clear of the table
    touched: frozenset[str]
    """Objects that the hand touched since the episode began: contact with the hand or the fingers,
    or the tool centre point inside the footprint of a bowl or a zone below z = 0.03."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One sampled problem: a scene, the words of the command, and what they mean."""

    task: str
    split: str
    objects: tuple[ObjectState, ...]
    instruction: str
    plan: Plan


class Task(ABC):
    """A family of commands. Subclasses give words and geometry; sampling is shared."""

    name: ClassVar[str]
    templates: ClassVar[tuple[str, ...]]
    """Sentences with the slots {a}, {b}, {r} of a plan, and others that `words` fill."""
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    held_out_templates: ClassVar[tuple[str, ...]]
    target_kinds: ClassVar[tuple[str, ...]] = ("block",)
    reference_kinds: ClassVar[tuple[str, ...]] = ()

    def sample(self, rng: np.random.Generator, split: str = "seen") -> Episode:
        """A random episode of `split`. Raises UnknownNameError for a split that does not exist."""
        if split not in SPLITS:
            raise UnknownNameError("split", split, SPLITS)
        while True:
            plan = self.sample_plan(rng, split)
            objects = sample_scene(plan, rng)
            if objects is not None:
                return Episode(
                    task=self.name,
                    split=split,
                    objects=objects,
                    instruction=self.say(plan, rng, held_out=split == "paraphrase"),
                    plan=plan,
                )

    def sample_swapped(self, rng: np.random.Generator) -> tuple[Episode, Episode]:
        """An episode, and the same scene under another command of the family (the `swapped` control)."""
        while True:
            episode = self.sample(rng)
            swapped = self.swap(episode, rng)
            if swapped is not None:
                return episode, swapped

    def swap(self, episode: Episode, rng: np.random.Generator) -> Episode | None:
        """Another command of the family for the same scene, with another target where there is one.

        None where the scene allows no other command.
        """
        things = [Thing(o.colour, o.kind) for o in episode.objects]
        others = [p for p in self.plans_for(things) if p != episode.plan and goal_is_free(p, episode.objects)]
        fresh = [p for p in others if p.target != episode.plan.target] or others
        if not fresh:
            return None
        plan = fresh[rng.integers(len(fresh))]
        return replace(episode, plan=plan, instruction=self.say(plan, rng))

    def say(self, plan: Plan, rng: np.random.Generator, *, held_out: bool = False) -> str:
        """The words of `plan`, by a training template or a held-out one."""
        templates = self.held_out_templates if held_out else self.templates
        sentence = fill(pick(templates, rng), self.words, rng)
        phrases = {
            slot: noun_phrase(thing, rng, held_out=held_out)
            for slot, thing in (("a", plan.target), ("b", plan.reference))
            if thing is not None
        }
        if plan.relation is not None:
            phrases["r"] = self.relation_phrase(plan.relation, rng, held_out=held_out)
        return polite(sentence.format(**phrases), rng)

    def phrasings(self) -> Iterator[str]:
        """Every sentence that training may use for the family, with the plan's slots open."""
        return itertools.chain.from_iterable(fillings(template, self.words) for template in self.templates)

    def relation_phrase(self, relation: str, rng: np.random.Generator, *, held_out: bool) -> str:
        """How to say a relation; only families with relations have one."""
        raise AssertionError(f"{self.name} has no relation to say")

    def sample_plan(self, rng: np.random.Generator, split: str) -> Plan:
        """A plan of the family whose attribute pair belongs to `split`."""
        things = [Thing(colour, kind) for kind in KINDS for colour in COLOURS]
        plans = [p for p in self.plans_for(things) if pair_is_held_out(p) == (split == "pair")]
        return plans[rng.integers(len(plans))]

    def plans_for(self, things: list[Thing]) -> list[Plan]:
        """Every plan of the family over `things`."""
        targets = [thing for thing in things if thing.kind in self.target_kinds]
        if not self.reference_kinds:
            return [Plan(act=self.name, target=target) for target in targets]
        references = [thing for thing in things if thing.kind in self.reference_kinds]
        return [Plan(act=self.name, target=a, reference=b) for a in targets for b in references if a != b]

    def oracle(self, episode: Episode, state: SceneState) -> SkillCall:
        """The motion that solves the episode from `state`."""
        points = [state.objects[str(thing)].position_m[:2] for thing in episode.plan.things]
        return ground(episode.plan, np.stack(points))

    @abstractmethod
    def success(self, episode: Episode, state: SceneState) -> bool:
        """Whether the command is fulfilled."""

    def score(self, episode: Episode, state: SceneState) -> float:
        """Partial credit in [0, 1]: how much of the way to its goal the target has gone."""
        if self.success(episode, state):
            return 1.0
        start = {o.name: o for o in episode.objects}
        name = str(episode.plan.target)
        goal = self.goal_m(episode, state)
        before = float(np.linalg.norm(start[name].position_m - goal))
        now = float(np.linalg.norm(state.objects[name].position_m - goal))
        return 0.9 * float(np.clip(1.0 - now / max(before, 1e-6), 0.0, 1.0))

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        """(3,) where the target's centre should end."""
        goal: Float = self.oracle(episode, state).points_m[-1]
        return goal


def pair_is_held_out(plan: Plan) -> bool:
    """Whether the plan names an attribute pair that is kept out of training."""
    target, reference = plan.target, plan.reference
    assert target is not None
    if reference is None:
        return target in HELD_OUT_THINGS
    return (target.colour, reference.colour) in HELD_OUT_COLOUR_PAIRS


def sample_scene(plan: Plan, rng: np.random.Generator) -> tuple[ObjectState, ...] | None:
    """Objects for `plan`: its things and distractors, apart from each other; None if they do not fit.

    Distractors come from pairs that training may show, so that a held-out thing is only ever there
    because the command names it.
    """
    things = list(plan.things)
    if len(things) == 2 and any(thing in HELD_OUT_THINGS for thing in things):
        return None
    counts = {
        "block": int(rng.integers(2, 5)),
        "bowl": int(rng.integers(1, 3)),
        "zone": int(rng.integers(0, 3)),
    }
    for kind, count in counts.items():
        free = [
            Thing(c, kind)
            for c in COLOURS
            if Thing(c, kind) not in HELD_OUT_THINGS and Thing(c, kind) not in things
        ]
        missing = max(count - sum(thing.kind == kind for thing in things), 0)
        things += [free[i] for i in rng.permutation(len(free))[:missing]]
    return place_things(things, plan, rng)


def place_things(
    things: list[Thing], plan: Plan | None, rng: np.random.Generator
) -> tuple[ObjectState, ...] | None:
    """Put `things` on the table without overlap, wide things first; None after too many tries."""
    placed: list[ObjectState] = []
    for thing in sorted(things, key=lambda thing: -RADIUS_M[thing.kind]):
        for _ in range(40):
            xy = np.array([rng.uniform(*WORKSPACE_M[0]), rng.uniform(*WORKSPACE_M[1])])
            if all(_apart(xy, thing.kind, other) for other in placed):
                break
        else:
            return None
        position = np.array([xy[0], xy[1], REST_HEIGHT_M[thing.kind]])
        yaw = float(rng.uniform(-np.pi / 4, np.pi / 4)) if thing.kind == "block" else 0.0
        placed.append(
            ObjectState(
                name=str(thing), kind=thing.kind, colour=thing.colour, position_m=position, yaw_rad=yaw
            )
        )
    objects = tuple(placed[i] for i in rng.permutation(len(placed)))
    if plan is not None and not goal_is_free(plan, objects):
        return None
    return objects


def goal_is_free(plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
    """Whether a place or a push goal is on the table, away from the start, and nothing stands in the way."""
    if plan.act not in ("place_relative", "push_to"):
        return True
    named = {o.name: o for o in objects}
    assert plan.reference is not None
    call = ground(plan, np.stack([named[str(thing)].position_m[:2] for thing in plan.things]))
    start, goal = call.points_m[0, :2], call.points_m[1, :2]
    (x0, x1), (y0, y1) = WORKSPACE_M
    if not (x0 - 0.03 <= goal[0] <= x1 + 0.03 and y0 - 0.03 <= goal[1] <= y1 + 0.03):
        return False
    if distance_xy(start, goal) < MIN_MOVE_M:
        return False
    others = [o for o in objects if o.name not in (str(plan.target), str(plan.reference))]
    if plan.act == "place_relative":
        return all(_apart(goal, "block", other) for other in others if other.kind != "zone")
    return _push_is_free(start, goal, [o for o in others if o.kind != "zone"])


def _push_is_free(start: Float, goal: Float, obstacles: list[ObjectState]) -> bool:
    """A push needs a free lane from behind the block to the goal, and room for the hand behind it."""
    length = distance_xy(start, goal)
    along = (goal - start) / length
    for obstacle in obstacles:
        offset = obstacle.position_m[:2] - start
        s = float(np.clip(offset @ along, -0.09, length + 0.03))
        if float(np.linalg.norm(offset - s * along)) < RADIUS_M[obstacle.kind] + 0.05:
            return False
    return True


def _apart(xy: Float, kind: str, other: ObjectState) -> bool:
    gap = RADIUS_M[kind] + RADIUS_M[other.kind] + CLEARANCE_M
    return float(np.linalg.norm(xy - other.position_m[:2])) >= gap


def distance_xy(a: Float, b: Float) -> float:
    """Horizontal distance of two points, m."""
    return float(np.linalg.norm(a[:2] - b[:2]))
