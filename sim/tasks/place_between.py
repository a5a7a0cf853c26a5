# SPDX-License-Identifier: Apache-2.0
"""place_between: one thing half way between two others."""

from embodied.language.verbs import Plan
from embodied.types import ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy, has_room, is_a_move, on_table, start_and_goal

MIDDLE_M = 0.03


@register
class PlaceBetween(Task):
    """Success: the target lies on the table within MIDDLE_M of the middle of the two."""

    name = "place_between"
    verb = "place_between"
    reference_kinds = ("block", "bowl", "zone")

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        start, goal = start_and_goal(plan, objects)
        return is_a_move(start, goal) and has_room(goal, plan, objects)

    def success(self, episode: Episode, state: SceneState) -> bool:
        target, reference, other = state.places_m(episode)
        near = distance_xy(target, 0.5 * (reference + other)) <= MIDDLE_M
        return state.held is None and on_table(state.of(episode, "target")) and near
