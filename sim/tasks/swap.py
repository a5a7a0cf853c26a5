# SPDX-License-Identifier: Apache-2.0
"""swap: two things change places."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from embodied.language.verbs import Plan
from embodied.types import Float, ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy, has_room, on_table, start_and_goal

THERE_M = 0.025


@register
class Swap(Task):
    """Success: each of the two lies within THERE_M of where the other one was."""

    name = "swap"
    verb = "swap"
    reference_kinds = ("block",)
    scene: ClassVar[Mapping[str, tuple[int, int]]] = {"block": (3, 5), "bowl": (0, 1), "zone": (0, 1)}
    ordered = False

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        _, aside = start_and_goal(plan, objects)
        return has_room(aside, plan, objects)

    def success(self, episode: Episode, state: SceneState) -> bool:
        places = state.places_m(episode)
        there = all(distance_xy(place, goal) <= THERE_M for place, goal in zip(places, _goals_m(episode), strict=True))
        return state.held is None and there and all(on_table(state.objects[name]) for name in episode.meant)

    def score(self, episode: Episode, state: SceneState) -> float:
        if self.success(episode, state):
            return 1.0
        goals = _goals_m(episode)
        whole = distance_xy(*goals)
        left = [distance_xy(place, goal) for place, goal in zip(state.places_m(episode), goals, strict=True)]
        return 0.9 * float(np.clip(1.0 - np.array(left) / whole, 0.0, 1.0).mean())

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        return _goals_m(episode)[0]


def _goals_m(episode: Episode) -> list[Float]:
    """(3,) where the target and the reference should end: where the other one began."""
    began = {o.name: o.position_m for o in episode.objects}
    return [began[name] for name in reversed(episode.meant)]
