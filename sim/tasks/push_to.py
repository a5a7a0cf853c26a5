# SPDX-License-Identifier: Apache-2.0
"""push_to: slide one thing over the table onto a coloured zone."""

import numpy as np

from embodied.language.verbs import Plan
from embodied.things import THINGS, Thing
from embodied.types import Float, ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy, is_a_move, obstacles, on_table, start_and_goal

ON_ZONE_M = 0.045
_BEHIND_M, _BEYOND_M, _BESIDE_M = 0.09, 0.03, 0.05
"""Room that the hand needs behind the target, past the goal, and beside the lane."""
_SIDE_M = 0.015
"""Room beside what is pushed, where it is wider than the hand."""


@register
class PushTo(Task):
    """Success: the target's centre lies within ON_ZONE_M of the zone's, on the table."""

    name = "push_to"
    verb = "push_to"
    reference_kinds = ("zone",)

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        assert plan.target is not None
        start, goal = start_and_goal(plan, objects)
        thing = plan.target.thing
        return is_a_move(start, goal) and all(_beside_lane(start, goal, thing, o) for o in obstacles(plan, objects))

    def success(self, episode: Episode, state: SceneState) -> bool:
        target, zone = state.of(episode, "target"), state.of(episode, "reference")
        return on_table(target) and distance_xy(target.position_m, zone.position_m) <= ON_ZONE_M


def _beside_lane(start: Float, goal: Float, thing: Thing, obstacle: ObjectState) -> bool:
    """A push needs a free lane from behind the target to the goal, and room for the hand behind it."""
    room_m = max(_BESIDE_M, thing.radius_m + _SIDE_M)
    length = distance_xy(start, goal)
    along = (goal - start) / length
    offset = obstacle.position_m[:2] - start
    s = float(np.clip(offset @ along, -_BEHIND_M, length + _BEYOND_M))
    return float(np.linalg.norm(offset - s * along)) >= THINGS.get(obstacle.kind).radius_m + room_m
