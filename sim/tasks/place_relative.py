# SPDX-License-Identifier: Apache-2.0
"""place_relative: one thing beside another thing, as seen in the front camera's picture."""

import numpy as np

from embodied.language.verbs import Plan
from embodied.language.verbs.place_relative import OFFSETS
from embodied.types import ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import apart, is_a_move, obstacles, on_table, start_and_goal

ALONG_TOLERANCE_M = 0.045
ACROSS_TOLERANCE_M = 0.045


@register
class PlaceRelative(Task):
    """Success: the target lies on the table, off the reference in the named direction."""

    name = "place_relative"
    verb = "place_relative"
    reference_kinds = ("block", "bowl", "zone")

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        assert plan.target is not None
        start, goal = start_and_goal(plan, objects)
        kind = plan.target.kind
        return is_a_move(start, goal) and all(apart(goal, kind, o) for o in obstacles(plan, objects))

    def success(self, episode: Episode, state: SceneState) -> bool:
        plan = episode.plan
        assert plan.relation is not None and plan.reference is not None
        target, reference = state.places_m(episode)
        offset = (target - reference)[:2]
        direction = np.array(OFFSETS[plan.relation])
        along = float(offset @ direction)
        across = float(np.linalg.norm(offset - along * direction))
        return (
            state.held is None
            and on_table(state.of(episode, "target"))
            and abs(along - plan.reference.thing.beside_m) <= ALONG_TOLERANCE_M
            and across <= ACROSS_TOLERANCE_M
        )
