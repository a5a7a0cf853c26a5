# SPDX-License-Identifier: Apache-2.0
"""A plan in canonical words: the text that the language model writes before it moves.

Every plan is one short sentence of a closed language, so that it can be enumerated (constrained
decoding walks the enumeration), parsed back without doubt, and turned into a motion once its nouns
have been pointed at. `parse_plan(plan.text()) == plan` for every plan.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from embodied.types import Float, SkillCall
from embodied.vocabulary import COLOURS, KINDS, OTHER_COLOURS, RELATIONS

BLOCK_SIZE_M = 0.04
GRASP_HEIGHT_M = 0.02
TOUCH_HEIGHT_M: Mapping[str, float] = {"block": 0.045, "bowl": 0.02, "zone": 0.01}
BOWL_RELEASE_HEIGHT_M = 0.05
RELATION_OFFSETS: Mapping[str, tuple[float, float]] = {
    # The front camera looks along -x: its picture's left is -y, and nearer to it is +x.
    "left of": (0.0, -1.0),
    "right of": (0.0, 1.0),
    "in front of": (1.0, 0.0),
    "behind": (-1.0, 0.0),
}
"""Unit vectors in the world's x-y plane."""


@dataclass(frozen=True)
class Thing:
    """An object as words name it."""

    colour: str
    kind: str

    def __str__(self) -> str:
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do, in words. `act` is one of ACTS."""

    act: str
    target: Thing | None = None
    reference: Thing | None = None
    relation: str | None = None

    def text(self) -> str:
        """The canonical sentence of this plan."""
        return ACTS[self.act].format(target=self.target, reference=self.reference, relation=self.relation)

    @property
    def things(self) -> tuple[Thing, ...]:
        """The things to point at, in the order in which the sentence names them."""
        return tuple(thing for thing in (self.target, self.reference) if thing is not None)

    @property
    def refused(self) -> bool:
        """Whether the plan is an answer and no motion."""
        return self.act in ("absent", "cannot")


ACTS: Mapping[str, str] = {
    "touch": "touch {target}",
    "pick_up": "lift {target}",
    "put_in_bowl": "put {target} in {reference}",
    "stack": "stack {target} on {reference}",
    "place_relative": "place {target} {relation} {reference}",
    "push_to": "push {target} to {reference}",
    "absent": "no {target} here",
    "cannot": "cannot do that",
}


def all_plans() -> Iterator[Plan]:
    """Every plan that the language model may write, each once.

    That a thing is absent is not among them: whoever points judges it by what is seen there.
    """
    kinds = {kind: [Thing(colour, kind) for colour in (*COLOURS, *OTHER_COLOURS)] for kind in KINDS}
    blocks, bowls, zones = kinds["block"], kinds["bowl"], kinds["zone"]
    things = [*blocks, *bowls, *zones]
    yield from (Plan(act="touch", target=thing) for thing in things)
    yield from (Plan(act="pick_up", target=thing) for thing in blocks)
    for act, references in (("put_in_bowl", bowls), ("stack", blocks), ("push_to", zones)):
        yield from (
            Plan(act=act, target=a, reference=b) for a, b in itertools.product(blocks, references) if a != b
        )
    for a, relation, b in itertools.product(blocks, RELATIONS, things):
        if a != b:
            yield Plan(act="place_relative", target=a, relation=relation, reference=b)
    yield Plan(act="cannot")


_BY_TEXT: dict[str, Plan] = {plan.text(): plan for plan in all_plans()}


def parse_plan(text: str) -> Plan:
    """The plan that `text` is the sentence of. Raises ValueError for any other text."""
    try:
        return _BY_TEXT[text.strip()]
    except KeyError:
        raise ValueError(f"not a plan: {text!r}; a plan reads like 'put red block in green bowl'") from None


def ground(plan: Plan, points_m: Float) -> SkillCall:
    """The motion of a plan whose things were pointed at.

    `points_m` is (N, 2): world x, y of each of `plan.things`. Heights come from what the things are.
    """
    assert not plan.refused, "a refusal has no motion"
    assert points_m.shape == (len(plan.things), 2), points_m.shape
    target, target_xy = plan.target, points_m[0]
    assert target is not None
    if plan.act == "touch":
        return SkillCall(skill="touch", points_m=_lift(target_xy, TOUCH_HEIGHT_M[target.kind])[None])
    pick = _lift(target_xy, GRASP_HEIGHT_M)
    if plan.act == "pick_up":
        return SkillCall(skill="pick", points_m=pick[None])
    reference_xy = points_m[1]
    if plan.act == "push_to":
        return SkillCall(skill="push", points_m=np.stack([pick, _lift(reference_xy, GRASP_HEIGHT_M)]))
    if plan.act == "put_in_bowl":
        place = _lift(reference_xy, BOWL_RELEASE_HEIGHT_M)
    elif plan.act == "stack":
        place = _lift(reference_xy, GRASP_HEIGHT_M + BLOCK_SIZE_M)
    else:
        assert plan.relation is not None
        assert plan.reference is not None
        offset = relation_distance_m(plan.reference) * np.array(RELATION_OFFSETS[plan.relation])
        place = _lift(reference_xy + offset, GRASP_HEIGHT_M)
    return SkillCall(skill="pick_place", points_m=np.stack([pick, place]))


def relation_distance_m(reference: Thing) -> float:
    """How far from the centre of `reference` a block is put down beside it."""
    return {"block": 0.09, "zone": 0.10, "bowl": 0.12}[reference.kind]


def _lift(xy_m: Float, height_m: float) -> Float:
    return np.array([xy_m[0], xy_m[1], height_m], dtype=np.float64)
