# SPDX-License-Identifier: Apache-2.0
"""which_one: a thing is called by where it is among its like, as the front camera sees it."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from embodied.language.looks import ANY
from embodied.language.looks.look_beside import FARTHEST, NEAREST
from embodied.language.looks.look_extreme import EXTREMES
from embodied.language.nouns import Noun
from embodied.language.verbs import Plan
from embodied.language.verbs.place_relative import OFFSETS
from embodied.types import Float, ObjectState
from sim.phrases.talk import Talk
from sim.tasks import register
from sim.tasks.spoken import Said, Spoken, some_plan

CLEAR_M = 0.04
"""By so much one is more to the left, nearer, or further than the next: nobody can take another one for it."""
_BETWEEN = "between"


@register
class WhichOne(Spoken):
    """The leftmost block, the bowl behind the zone, the cube between the two."""

    name = "which_one"

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        plan = some_plan(objects, talk)
        if plan is None or not plan.nouns:
            return None
        slot = ("target", "reference")[talk.rng.integers(len(plan.nouns[:2]))]
        noun = getattr(plan, slot)
        meant = next(o for o in objects if (o.colour, o.kind) == (noun.colour, noun.kind))
        ways = [each for each in ways_to_call(meant, objects) if talk.may_say(key_of(each[0]))]
        if not ways:
            return None
        way, others = ways[talk.rng.integers(len(ways))]
        named = named_besides(others, talk)
        called = talk.fill(key_of(way), kind=talk.kind(meant.kind), **named)
        look = look_that_finds(way, Noun(ANY, meant.kind), others)
        return Said(words=talk.act(plan, {slot: called}), plan=plan, looks=(look,))


def ways_to_call(
    meant: ObjectState, objects: Sequence[ObjectState], *, by_name: bool = False
) -> Iterator[tuple[str, tuple[ObjectState, ...]]]:
    """The relations in which this one stands and no other of its kind, or `by_name` of its colour and kind, with the
    things that they name besides."""
    like = [o for o in objects if o.kind == meant.kind and (o.colour == meant.colour or not by_name) and o is not meant]
    if not like:
        return
    for extreme, way in EXTREMES.items():
        if all(_along(meant, other, way) >= CLEAR_M for other in like):
            yield extreme, ()
    counts = Counter((o.colour, o.kind) for o in objects)
    others = [o for o in objects if o is not meant and counts[o.colour, o.kind] == 1]
    for other in others:
        rivals = [o for o in like if o is not other]
        if not rivals:
            continue
        away = [_apart(o, other) for o in rivals]
        if _apart(meant, other) <= min(away) - CLEAR_M:
            yield NEAREST, (other,)
        if _apart(meant, other) >= max(away) + CLEAR_M:
            yield FARTHEST, (other,)
        for way in OFFSETS:
            if _beside(meant, other, way) and not any(_along(o, other, way) > 0.0 for o in rivals):
                yield way, (other,)
        for third in others:
            if (
                third is not other
                and _between(meant, other, third)
                and not any(_near_way(o, other, third) for o in rivals if o is not third)
            ):
                yield _BETWEEN, (other, third)


def key_of(way: str) -> str:
    """Of the noun phrases that call a thing by a relation."""
    return f"np_{way.replace(' ', '_')}"


def named_besides(others: Sequence[ObjectState], talk: Talk) -> dict[str, str]:
    """The things that a relation names, by their slots in its noun phrases."""
    return {letter: talk.noun(Noun(o.colour, o.kind)) for letter, o in zip("xy", others, strict=False)}


def look_that_finds(way: str, like: Noun, others: Sequence[ObjectState]) -> Plan:
    """What finds the one that is called so among its like."""
    named = [Noun(o.colour, o.kind) for o in others]
    if way in EXTREMES:
        return Plan(verb="look_extreme", target=like, relation=way)
    if way == _BETWEEN:
        return Plan(verb="look_between", target=like, reference=named[0], other=named[1])
    return Plan(verb="look_beside", target=like, relation=way, reference=named[0])


def _apart(one: ObjectState, other: ObjectState) -> float:
    return float(np.linalg.norm(one.position_m[:2] - other.position_m[:2]))


def _along(one: ObjectState, other: ObjectState, way: str) -> float:
    """How much further along a direction one is than the other, m."""
    return float((one.position_m[:2] - other.position_m[:2]) @ np.array(OFFSETS[way]))


def _beside(one: ObjectState, other: ObjectState, way: str) -> bool:
    """Whether one is plainly on that side of the other, and more so than on any other side."""
    along = _along(one, other, way)
    return along >= CLEAR_M and along >= 0.9 * _apart(one, other)


def _share(one: ObjectState, a: ObjectState, b: ObjectState) -> tuple[float, float]:
    """How far along the way from a to b one stands, 0 to 1, and how far off it, m."""
    start, one_m = a.position_m[:2], one.position_m[:2]
    way: Float = b.position_m[:2] - start
    share = float((one_m - start) @ way) / max(float(way @ way), 1e-9)
    return share, float(np.linalg.norm(one_m - start - share * way))


def _between(one: ObjectState, a: ObjectState, b: ObjectState) -> bool:
    share, off_m = _share(one, a, b)
    return 0.25 <= share <= 0.75 and off_m <= 0.04


def _near_way(one: ObjectState, a: ObjectState, b: ObjectState) -> bool:
    """Whether somebody might say that it is between the two as well."""
    share, off_m = _share(one, a, b)
    return 0.0 <= share <= 1.0 and off_m <= 0.1
