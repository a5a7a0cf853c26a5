# SPDX-License-Identifier: Apache-2.0
"""line_up: three things in a straight row."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from embodied.language.verbs import Plan
from embodied.types import Float, ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy, grounded, has_room, on_table

OFF_M = 0.01
APART_M = (0.06, 0.12)


@register
class LineUp(Task):
    """Success: the three lie within OFF_M of one line, neighbours APART_M from each other, and are released."""

    name = "line_up"
    verb = "line_up"
    reference_kinds = ("block",)
    scene: ClassVar[Mapping[str, tuple[int, int]]] = {"block": (3, 5), "bowl": (0, 1), "zone": (0, 1)}
    ordered = False

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        began = {o.name: o for o in objects}
        first, second, third = (began[str(noun)] for noun in plan.nouns)
        goals = grounded(plan, objects).points_m[1::2, :2]
        # The second comes while the third stands where it was, and both go beside the first.
        left = [o for o in objects if o.name not in (first.name, second.name)]
        free = has_room(goals[0], plan, left) and has_room(goals[1], plan, [o for o in left if o is not third])
        return free and not in_a_row(np.stack([o.position_m for o in (first, second, third)]))

    def success(self, episode: Episode, state: SceneState) -> bool:
        places = np.stack(state.places_m(episode))
        return state.held is None and in_a_row(places) and all(on_table(state.objects[name]) for name in episode.meant)

    def score(self, episode: Episode, state: SceneState) -> float:
        if self.success(episode, state):
            return 1.0
        starts_and_goals = self.planned(episode).points_m[:, :2].reshape(2, 2, 2)
        shares = [
            1.0 - distance_xy(place, goal) / max(distance_xy(start, goal), 1e-6)
            for place, (start, goal) in zip(state.places_m(episode)[1:], starts_and_goals, strict=True)
        ]
        return 0.9 * float(np.clip(shares, 0.0, 1.0).mean())

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        return state.of(episode, "target").position_m  # it stays where it is


def in_a_row(places_m: Float) -> bool:
    """Whether things at (N, 3) lie on one line over the table, not too near and not too far from their neighbours."""
    off = places_m[:, :2] - places_m[:, :2].mean(axis=0)
    (along, across) = np.linalg.svd(off)[2]
    gaps = np.diff(np.sort(off @ along))
    return bool(np.abs(off @ across).max() <= OFF_M and gaps.min() >= APART_M[0] and gaps.max() <= APART_M[1])
