# SPDX-License-Identifier: Apache-2.0
"""push_to: slide one thing over the table onto a coloured zone."""

from embodied.language.verbs import Plan
from embodied.types import ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy, is_a_move, lane_is_free, on_table, start_and_goal

ON_ZONE_M = 0.045


@register
class PushTo(Task):
    """Success: the target's centre lies within ON_ZONE_M of the zone's, on the table."""

    name = "push_to"
    verb = "push_to"
    reference_kinds = ("zone",)

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        return is_a_move(*start_and_goal(plan, objects)) and lane_is_free(plan, objects)

    def success(self, episode: Episode, state: SceneState) -> bool:
        target, zone = state.of(episode, "target"), state.of(episode, "reference")
        return on_table(target) and distance_xy(target.position_m, zone.position_m) <= ON_ZONE_M
