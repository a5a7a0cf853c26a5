# SPDX-License-Identifier: Apache-2.0
"""put_at: one thing in the middle of the table, or in one of its corners."""

import numpy as np

from embodied.language.verbs import Plan
from embodied.language.verbs.put_at import SPOTS_M
from embodied.types import Float, ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy, is_a_move, on_table, start_and_goal

NEAR_SPOT_M = 0.03


@register
class PutAt(Task):
    """Success: the target lies on the table within NEAR_SPOT_M of the spot."""

    name = "put_at"
    verb = "put_at"

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        start, goal = start_and_goal(plan, objects)
        # Where something stands at the spot, the verb goes beside it.
        return is_a_move(start, goal) and np.array_equal(goal, _spot_m(plan))

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = state.of(episode, "target").position_m
        near = distance_xy(target, _spot_m(episode.plan)) <= NEAR_SPOT_M
        return state.held is None and on_table(state.of(episode, "target")) and near


def _spot_m(plan: Plan) -> Float:
    assert plan.relation is not None
    return np.array(SPOTS_M[plan.relation])
