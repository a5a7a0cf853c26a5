# SPDX-License-Identifier: Apache-2.0
"""line_up: three things in a straight row. The first stays where it is, and the others come to it."""

import itertools
from collections.abc import Iterator

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.places import ROOM_M, may_stand, room_m
from embodied.motion.skills import SkillCall
from embodied.things import Thing
from embodied.types import Float

SPACING_M = 0.09
_DIRECTIONS = np.array([[1.0, 0.0], [0.0, 1.0]])
"""Rows lead away from the camera, or across its picture: the fingers open along y, and set things square to it."""
_LAYOUTS = ((-1, 1), (1, 2), (-1, -2))
"""Where in the row the two others stand, counted from the first."""


@register
class LineUp(Verb):
    """Three things that a hand can grasp."""

    name = "line_up"
    sentence = "line up {target} {reference} and {other}"
    ability = "line up"

    def refers(self, reference: Thing) -> bool:
        return self.takes(reference)

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        _, second, third = points_m
        goals = max(_rows(points_m[0]), key=lambda goals: _merit(points_m, goals, others_m))
        heights = [grasp_height_m(noun) for noun in plan.nouns[1:]]
        return SkillCall(
            skill="pick_place_twice",
            points_m=np.stack(
                [
                    at_height(place, height)
                    for start, goal, height in zip((second, third), goals, heights, strict=True)
                    for place in (start, goal)
                ]
            ),
        )


def _rows(first_m: Float) -> Iterator[Float]:
    """(2, 2) places of the second and of the third thing, beside the first (2,)."""
    for direction, layout in itertools.product(_DIRECTIONS, _LAYOUTS):
        for steps in (layout, layout[::-1]):
            yield first_m + SPACING_M * np.outer(steps, direction)


def _merit(points_m: Float, goals_m: Float, others_m: Float) -> tuple[bool, float, float]:
    """How good a row is: on the table, with room for the fingers, and near."""
    # The second is put down while the third still stands where it was.
    taken = [np.concatenate([others_m, points_m[2:]]), others_m]
    room = min(float(room_m(goal[None], near)[0]) for goal, near in zip(goals_m, taken, strict=True))
    away = float(np.linalg.norm(goals_m - points_m[1:], axis=1).sum())
    return all(map(may_stand, goals_m)), min(room, ROOM_M), -away
