# SPDX-License-Identifier: Apache-2.0
"""Which things stand where on the table, and which are held out of training."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from embodied.geometry import upright
from embodied.language.nouns import Noun
from embodied.language.seen import Entity
from embodied.language.verbs import VERBS, Plan
from embodied.language.vocabulary import COLOURS
from embodied.motion.places import STANDING_M, may_stand
from embodied.motion.skills import SkillCall
from embodied.things import THINGS, Thing, thing_of
from embodied.types import Float, ObjectState

CLEARANCE_M = 0.03
MIN_MOVE_M = 0.08
"""Goals nearer than this to the start are not asked for."""
ON_TABLE_M = 0.01
"""What is no higher than this above where it stands on the table is on the table."""
_OFF_M = 0.008
"""How far along each axis what was put onto something is off its middle."""
_BEHIND_M, _BEYOND_M, _BESIDE_M = 0.09, 0.03, 0.05
"""Room that the hand needs behind what it pushes, past the goal, and beside the lane."""
_SIDE_M = 0.015
"""Room beside what is pushed, where it is wider than the hand."""

HELD_OUT_THINGS = frozenset({Noun("purple", "block"), Noun("yellow", "bowl"), Noun("green", "zone")})
"""Colour-kind pairs that no training scene shows and no training sentence names."""
HELD_OUT_COLOUR_PAIRS = frozenset((COLOURS[i], COLOURS[(3 * i + 1) % len(COLOURS)]) for i in range(len(COLOURS)))
"""(target colour, reference colour) that no training sentence names together."""
HELD_OUT_KINDS = frozenset({"arch", "cross"})
"""Kinds of things that no training scene shows and no training sentence names."""


def pair_is_held_out(plan: Plan) -> bool:
    """Whether the plan names a kind of thing or an attribute pair that is kept out of training."""
    if names_held_out_kind(plan):
        return True
    references = [noun for noun in (plan.reference, plan.other) if noun is not None]
    if plan.target is None or not references:
        return plan.target in HELD_OUT_THINGS
    return any((plan.target.colour, noun.colour) in HELD_OUT_COLOUR_PAIRS for noun in references)


def names_held_out_kind(plan: Plan) -> bool:
    """Whether the plan names a kind of thing that is kept out of training."""
    return any(noun.kind in HELD_OUT_KINDS for noun in plan.nouns)


def with_distractors(
    plan: Plan, counts: Mapping[str, tuple[int, int]], colours: Sequence[str], rng: np.random.Generator
) -> list[Noun] | None:
    """The things of `plan` and others; `counts` is the fewest and the most of each kind.

    The others come from pairs that training may show, so that a held-out thing is only ever there
    because the command names it. None for a command that names one beside another thing.
    """
    nouns = list(plan.nouns)
    if len(nouns) > 1 and not HELD_OUT_THINGS.isdisjoint(nouns):
        return None
    wanted = {kind: int(rng.integers(low, high + 1)) for kind, (low, high) in counts.items()}
    for kind, count in wanted.items():
        taken = HELD_OUT_THINGS.union(nouns)
        free = [Noun(colour, kind) for colour in colours if Noun(colour, kind) not in taken]
        missing = max(count - sum(noun.kind == kind for noun in nouns), 0)
        nouns += [free[i] for i in rng.permutation(len(free))[:missing]]
    return nouns


def place_things(
    nouns: Sequence[Noun], rng: np.random.Generator, scales: Sequence[float] = ()
) -> tuple[ObjectState, ...] | None:
    """Put things on the table without overlap, wide ones first; None after too many tries.

    The first red block is called "red block", the next "red block 2". The order of the answer is random.
    Without `scales`, one for each, all are of their usual size.
    """
    placed: list[ObjectState] = []
    named = zip(_names(nouns), nouns, scales or [1.0] * len(nouns), strict=True)
    # Wide things would not find room later.
    for name, noun, scale in sorted(named, key=lambda each: -each[1].thing.radius_m):
        for _ in range(40):
            xy = np.array([rng.uniform(*STANDING_M[0]), rng.uniform(*STANDING_M[1])])
            if all(apart(xy, noun.kind, other) for other in placed):
                break
        else:
            return None
        thing = noun.thing.scaled(scale)
        movable = thing.mass_kg > 0.0
        turn_rad = thing.grasp.turn_rad if thing.grasp is not None else np.pi / 4
        placed.append(
            ObjectState(
                name=name,
                kind=noun.kind,
                colour=noun.colour,
                position_m=np.array([xy[0], xy[1], thing.origin_m if movable else 0.0]),
                orientation=upright(float(rng.uniform(-turn_rad, turn_rad)) if movable else 0.0),
                scale=scale,
            )
        )
    return tuple(placed[i] for i in rng.permutation(len(placed)))


def _names(nouns: Sequence[Noun]) -> list[str]:
    seen: Counter[Noun] = Counter()
    names = []
    for noun in nouns:
        seen[noun] += 1
        names.append(str(noun) if seen[noun] == 1 else f"{noun} {seen[noun]}")
    return names


def start_and_goal(plan: Plan, objects: Sequence[ObjectState]) -> tuple[Float, Float]:
    """x, y (2,) of the first and of the last place that a plan brings the hand to."""
    points = grounded(plan, objects).points_m
    return points[0, :2], points[-1, :2]


def grounded(plan: Plan, objects: Iterable[ObjectState], meant: Sequence[str] = ()) -> SkillCall:
    """The motion of a plan by where things truly are; `meant` are the names of those that it means."""
    places = {o.name: o.position_m[:2] for o in objects}
    points = [places.pop(name) for name in meant or map(str, plan.nouns)]
    return plan.ground(np.reshape(points, (-1, 2)), np.reshape([*places.values()], (-1, 2)))


def is_a_move(start: Float, goal: Float) -> bool:
    """Whether what stands at `start` can be asked for at `goal`: on the table, and not there yet."""
    return may_stand(goal) and distance_xy(start, goal) >= MIN_MOVE_M


def obstacles(plan: Plan, objects: Sequence[ObjectState]) -> list[ObjectState]:
    """What stands in the way of a plan: whatever it does not name and is more than paint."""
    named = {str(noun) for noun in plan.nouns}
    return [o for o in objects if o.name not in named and THINGS.get(o.kind).collision]


def has_room(place: Float, plan: Plan, objects: Sequence[ObjectState]) -> bool:
    """Whether the target of a plan could stand at `place` (2,): everything else that is more than paint is apart."""
    assert plan.target is not None
    kind = plan.target.kind
    return may_stand(place) and all(
        apart(place, kind, o) for o in objects if o.name != str(plan.target) and THINGS.get(o.kind).collision
    )


def lane_is_free(plan: Plan, objects: Sequence[ObjectState]) -> bool:
    """Whether nothing stands where a plan pushes its target, nor where the hand does for that."""
    assert plan.target is not None
    start, goal = start_and_goal(plan, objects)
    return all(_beside_lane(start, goal, plan.target.thing, obstacle) for obstacle in obstacles(plan, objects))


def _beside_lane(start: Float, goal: Float, thing: Thing, obstacle: ObjectState) -> bool:
    """A push needs a free lane from behind the target to the goal, and room for the hand behind it."""
    room_m = max(_BESIDE_M, thing.radius_m + _SIDE_M)
    length = distance_xy(start, goal)
    along = (goal - start) / length
    offset = obstacle.position_m[:2] - start
    s = float(np.clip(offset @ along, -_BEHIND_M, length + _BEYOND_M))
    return float(np.linalg.norm(offset - s * along)) >= THINGS.get(obstacle.kind).radius_m + room_m


def put_onto(target: ObjectState, reference: ObjectState, height_m: float, rng: np.random.Generator) -> ObjectState:
    """The target somewhat off the middle of a reference, with its foot `height_m` above the table."""
    xy = reference.position_m[:2] + rng.uniform(-_OFF_M, _OFF_M, 2)
    return replace(target, position_m=np.append(xy, height_m + thing_of(target).origin_m))


def rests_on(target: ObjectState, reference: ObjectState) -> bool:
    """Whether the one was put onto the other, and into it where that is hollow."""
    return target is not reference and bool(np.abs(target.position_m - reference.position_m)[:2].max() <= _OFF_M)


def holder_of(item: ObjectState, objects: Sequence[ObjectState]) -> ObjectState | None:
    """What an object is in or on, directly: the highest of what is below it; None on the table."""
    if thing_of(item).grasp is None:
        return None
    below = [other for other in objects if other is not item and _is_below(other, item)]
    return max(below, key=lambda other: float(other.position_m[2]), default=None)


def _is_below(holder: ObjectState, item: ObjectState) -> bool:
    """Whether one is over the other's outline and above it: on top of it, where that is solid."""
    thing = thing_of(holder)
    solid = thing.grasp is not None and "in" not in thing.holds
    above_m = float(item.position_m[2] - holder.position_m[2])
    return distance_xy(holder.position_m, item.position_m) <= thing.radius_m and above_m > (0.02 if solid else 0.0)


def entities_of(objects: Sequence[ObjectState]) -> tuple[Entity, ...]:
    """A scene as it is told in words, where everything in it is seen."""
    holders = [holder_of(each, objects) for each in objects]
    number = {each.name: i for i, each in enumerate(objects)}
    return tuple(
        Entity(
            colour=each.colour,
            kind=each.kind,
            place_m=(float(each.position_m[0]), float(each.position_m[1])),
            on=None if holder is None else number[holder.name],
        )
        for each, holder in zip(objects, holders, strict=True)
    )


def held_by(holder: ObjectState, objects: Sequence[ObjectState]) -> list[ObjectState]:
    """What is on a thing; of what is hollow, all that is in it, what lies on that too."""
    direct = [each for each in objects if holder_of(each, objects) is holder]
    if "in" not in thing_of(holder).holds:
        return direct
    return [*direct, *(above for each in direct for above in held_by(each, objects))]


def with_one_of(verb: str, objects: Sequence[ObjectState], rng: np.random.Generator) -> SkillCall:
    """What a verb without a reference does to any one of the things that it takes."""
    things = [o for o in objects if VERBS.get(verb).takes(THINGS.get(o.kind))]
    one = things[rng.integers(len(things))]
    return grounded(Plan(verb=verb, target=Noun(one.colour, one.kind)), objects, (one.name,))


def on_table(item: ObjectState) -> bool:
    """Whether an object stands or lies on the table."""
    return float(item.position_m[2]) <= thing_of(item).origin_m + ON_TABLE_M


def let_go_m(target: ObjectState, reference: ObjectState, preposition: str) -> float:
    """How far above the reference's origin the target's is, with its foot where things are let go "in" or "on" it."""
    below = thing_of(reference)
    return thing_of(target).origin_m - below.origin_m + below.holds[preposition]


def apart(xy: Float, kind: str, other: ObjectState) -> bool:
    """Whether a thing at `xy` (2,) keeps its distance from `other`; small ones too, for the hand has one size."""
    gap = THINGS.get(kind).radius_m + THINGS.get(other.kind).radius_m + CLEARANCE_M
    return float(np.linalg.norm(xy - other.position_m[:2])) >= gap


def distance_xy(a: Float, b: Float) -> float:
    """Horizontal distance of two points, m."""
    return float(np.linalg.norm(a[:2] - b[:2]))
