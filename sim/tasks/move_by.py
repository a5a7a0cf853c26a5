# SPDX-License-Identifier: Apache-2.0
"""move_by: one thing so many centimetres away, as seen in the front camera's picture."""

import numpy as np

from embodied.language.verbs import Plan
from embodied.language.verbs.move_by import way_m
from embodied.types import Float, ObjectState
from sim.tasks import Episode, SceneState, Task, register, start_of
from sim.tasks.scenes import has_room, on_table, start_and_goal

_OFF_M, _OFF_SHARE, _OFF_RAD = 0.01, 0.2, float(np.radians(15.0))


@register
class MoveBy(Task):
    """Success: the target lies on the table, moved as far as was asked and in that direction.

    It may be off by 1 cm or by 20 % of the way, whichever is more, but has gone at least half of it; and by 15 degrees.
    """

    name = "move_by"
    verb = "move_by"

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        _, goal = start_and_goal(plan, objects)
        return has_room(goal, plan, objects)

    def success(self, episode: Episode, state: SceneState) -> bool:
        target, asked = state.of(episode, "target").position_m, way_m(episode.plan)
        moved = (target - start_of(episode).position_m)[:2]
        far, wanted = float(np.linalg.norm(moved)), float(np.linalg.norm(asked))
        return (
            state.held is None
            and on_table(state.of(episode, "target"))
            and abs(far - wanted) <= max(_OFF_M, _OFF_SHARE * wanted)
            and far >= 0.5 * wanted
            and float(moved @ asked) >= far * wanted * np.cos(_OFF_RAD)
        )

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        return start_of(episode).position_m + np.append(way_m(episode.plan), 0.0)
