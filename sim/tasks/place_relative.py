# SPDX-License-Identifier: Apache-2.0
"""place_relative: one block beside another thing, as seen in the front camera's picture."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from embodied.plan import RELATION_OFFSETS, Plan, Thing, relation_distance_m
from embodied.vocabulary import RELATIONS
from sim.tasks.base import Episode, SceneState, Task
from sim.tasks.words import PICK_VERBS, PUT_VERBS, REST_VERBS, listed

ALONG_TOLERANCE_M = 0.045
ACROSS_TOLERANCE_M = 0.045
ON_TABLE_M = 0.03

PHRASES: Mapping[str, tuple[str, ...]] = {
    "left of": (
        *("left of", "to the left of", "on the left of", "on the left side of", "to the left side of"),
        *(
            "at the left of",
            "on the left next to",
            "left from",
            "to the left from",
            "leftwards of",
            "on the left-hand side of",
        ),
    ),
    "right of": (
        *("right of", "to the right of", "on the right of", "on the right side of", "to the right side of"),
        *(
            "at the right of",
            "on the right next to",
            "right from",
            "to the right from",
            "rightwards of",
            "on the right-hand side of",
        ),
    ),
    "in front of": (
        *("in front of", "in front of", "in front of", "on the near side of", "at the front of"),
        *(
            "nearer than",
            "to the front of",
            "closer to me than",
            "nearer to me than",
            "in the front of",
            "before",
            "just in front of",
            "on this side of",
        ),
    ),
    "behind": (
        *("behind", "behind", "behind", "at the back of", "in back of", "on the far side of", "farther than"),
        *(
            "to the back of",
            "to the rear of",
            "beyond",
            "farther away than",
            "farther from me than",
            "just behind",
            "round the back of",
        ),
    ),
}
HELD_OUT_PHRASES: Mapping[str, tuple[str, ...]] = {
    "left of": ("just left of", "at the left hand side of", "on the left hand side of", "leftward of"),
    "right of": ("just right of", "at the right hand side of", "on the right hand side of", "rightward of"),
    "in front of": ("directly in front of", "on the front side of", "at the front side of"),
    "behind": ("right behind", "on the back side of"),
}


class PlaceRelative(Task):
    """Success: the target lies on the table, off the reference in the named direction."""

    name = "place_relative"
    reference_kinds = ("block", "bowl", "zone")
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "v": (
            *PUT_VERBS,
            *listed("""
                stand; put down; set down; lay down; stop
            """),
        ),
        "p": PICK_VERBS,
        "m": REST_VERBS,
    }
    templates = (
        *("{v} {a} {r} {b}",) * 10,
        "{v} {a} on the table {r} {b}",
        "{v} {a} down {r} {b}",
        "{v} {a} somewhere {r} {b}",
        "{v} {a} to the place {r} {b}",
        *("{p} {a} and {v} it {r} {b}",) * 2,
        "{p} {a}, then {v} it {r} {b}",
        "{p} {a} and put it down {r} {b}",
        "{p} {a} and let it go {r} {b}",
        "{r} {b}, {v} {a}",
        "{r} {b} goes {a}",
        "{a} {r} {b}",
        *("{a} {m} {r} {b}",) * 2,
        "i want {a} {r} {b}",
        "i want {a} to be {r} {b}",
        "i want {a} to stand {r} {b}",
        "make sure {a} is {r} {b}",
        "move {a} until it is {r} {b}",
        "move {a} to be {r} {b}",
        "let {a} stand {r} {b}",
        "let {a} lie {r} {b}",
        "have {a} stand {r} {b}",
        "take {a} away and put it {r} {b}",
        "the right place for {a} is {r} {b}",
        "there is room {r} {b}, put {a} there",
        "i would like {a} {r} {b}",
        "move {a} so that it is {r} {b}",
        "could you stand {a} {r} {b}",
        "find a spot {r} {b} and put {a} there",
        "find a place {r} {b} for {a}",
        "look {r} {b}, {a} goes there",
        "{r} {b} is a place for {a}",
        "{r} {b} is room for {a}",
        "{r} {b} there should be {a}",
        "{r} {b} i want {a}",
        "{p} {a}, then stand it {r} {b}",
        "{p} {a} and drop it {r} {b}",
        "{p} {a}, go {r} {b} and put it down",
        "please have {a} sitting {r} {b}",
        "{a} should be standing {r} {b}",
        "{a} should lie {r} {b}",
        "take {a} to the table {r} {b}",
    )
    held_out_templates = (
        "position {a} {r} {b}",
        "{a} should be {r} {b}",
        "lift {a} and release it {r} {b}",
        "relocate {a} so that it is {r} {b}",
        "leave {a} {r} {b}",
        "{r} {b} is where {a} should be",
        "i'd like {a} {r} {b}, please",
        "move {a} so that it sits {r} {b}",
        "{r} {b} is where {a} should go",
        "take {a} and leave it {r} {b}",
        "{a} has to be {r} {b}, can you do it",
        "pick a spot {r} {b} and put {a} there",
        "would you mind placing {a} just {r} {b}",
    )

    def plans_for(self, things: list[Thing]) -> list[Plan]:
        targets = [thing for thing in things if thing.kind in self.target_kinds]
        references = [thing for thing in things if thing.kind in self.reference_kinds]
        return [
            Plan(act=self.name, target=a, relation=relation, reference=b)
            for a in targets
            for relation in RELATIONS
            for b in references
            if a != b
        ]

    def relation_phrase(self, relation: str, rng: np.random.Generator, *, held_out: bool) -> str:
        phrases = PHRASES[relation]
        if held_out and rng.random() < 0.5:
            phrases = HELD_OUT_PHRASES[relation]
        return phrases[rng.integers(len(phrases))]

    def success(self, episode: Episode, state: SceneState) -> bool:
        plan = episode.plan
        assert plan.relation is not None
        assert plan.reference is not None
        target = state.objects[str(plan.target)].position_m
        offset = (target - state.objects[str(plan.reference)].position_m)[:2]
        direction = np.array(RELATION_OFFSETS[plan.relation])
        along = float(offset @ direction)
        across = float(np.linalg.norm(offset - along * direction))
        return (
            state.held is None
            and float(target[2]) <= ON_TABLE_M
            and abs(along - relation_distance_m(plan.reference)) <= ALONG_TOLERANCE_M
            and across <= ACROSS_TOLERANCE_M
        )
