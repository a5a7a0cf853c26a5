# SPDX-License-Identifier: Apache-2.0
"""place_relative: one block beside another thing, as seen in the front camera's picture."""

from collections.abc import Mapping

import numpy as np

from embodied.plan import RELATION_OFFSETS, Plan, Thing, relation_distance_m
from embodied.vocabulary import RELATIONS
from sim.tasks.base import Episode, SceneState, Task

ALONG_TOLERANCE_M = 0.045
ACROSS_TOLERANCE_M = 0.045
ON_TABLE_M = 0.03

PHRASES: Mapping[str, tuple[str, ...]] = {
    "left of": ("left of", "to the left of", "on the left of", "on the left side of", "to the left side of"),
    "right of": (
        "right of",
        "to the right of",
        "on the right of",
        "on the right side of",
        "to the right side of",
    ),
    "in front of": ("in front of", "in front of", "on the near side of", "at the front of", "nearer than"),
    "behind": ("behind", "behind", "at the back of", "in back of", "on the far side of", "farther than"),
}
HELD_OUT_PHRASES: Mapping[str, tuple[str, ...]] = {
    "left of": ("just left of", "at the left hand side of"),
    "right of": ("just right of", "at the right hand side of"),
    "in front of": ("directly in front of", "on the front side of"),
    "behind": ("right behind", "on the back side of"),
}


class PlaceRelative(Task):
    """Success: the target lies on the table, off the reference in the named direction."""

    name = "place_relative"
    reference_kinds = ("block", "bowl", "zone")
    templates = (
        "put {a} {r} {b}",
        "place {a} {r} {b}",
        "move {a} {r} {b}",
        "set {a} {r} {b}",
        "set {a} down {r} {b}",
        "lay {a} {r} {b}",
        "bring {a} {r} {b}",
        "pick up {a} and put it {r} {b}",
        "pick up {a} and place it {r} {b}",
        "take {a} and put it {r} {b}",
        "take {a} and set it {r} {b}",
        "{r} {b}, put {a}",
        "{r} {b}, place {a}",
        "{a} goes {r} {b}",
        "{a} belongs {r} {b}",
        "grab {a} and move it {r} {b}",
        "transfer {a} {r} {b}",
        "put {a} on the table {r} {b}",
        "drop {a} {r} {b}",
        "lift {a} and put it {r} {b}",
        "let {a} stand {r} {b}",
        "{a} must be {r} {b}",
        "carry {a} {r} {b}",
        "park {a} {r} {b}",
    )
    held_out_templates = (
        "position {a} {r} {b}",
        "{a} should be {r} {b}",
        "lift {a} and release it {r} {b}",
        "relocate {a} so that it is {r} {b}",
        "leave {a} {r} {b}",
        "{r} {b} is where {a} should be",
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
