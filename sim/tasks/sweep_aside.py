# SPDX-License-Identifier: Apache-2.0
"""sweep_aside: one thing out of the way, to the side that is nearer."""

from embodied.language.verbs import Plan
from embodied.types import Float, ObjectState
from sim.tasks import Episode, SceneState, Task, register, start_of
from sim.tasks.scenes import lane_is_free, on_table

ASIDE_M = 0.08
_INNER_M = 0.17
"""What begins farther out than this is aside."""


@register
class SweepAside(Task):
    """Success: the target lies ASIDE_M farther out, and nothing else has moved."""

    name = "sweep_aside"
    verb = "sweep_aside"

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        start = next(o.position_m for o in objects if o.name == str(plan.target))
        return abs(start[1]) <= _INNER_M and lane_is_free(plan, objects)

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = state.of(episode, "target")
        out_m = float(abs(target.position_m[1]) - abs(start_of(episode).position_m[1]))
        return on_table(target) and out_m >= ASIDE_M and state.moved(episode) <= {target.name}

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        goal: Float = self.planned(episode).points_m[-1]
        return goal
