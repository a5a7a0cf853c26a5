# SPDX-License-Identifier: Apache-2.0
"""stack: one thing on top of another."""

from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy, let_go_m

MAX_OFFSET_M = 0.025
HEIGHT_TOLERANCE_M = 0.01


@register
class Stack(Task):
    """Success: the target rests on top of the reference, released."""

    name = "stack"
    verb = "stack"
    reference_kinds = ("block",)

    def success(self, episode: Episode, state: SceneState) -> bool:
        target, base = state.of(episode, "target"), state.of(episode, "reference")
        height_m = float(target.position_m[2] - base.position_m[2])
        level = abs(height_m - let_go_m(target, base, "on")) <= HEIGHT_TOLERANCE_M
        on_top = level and distance_xy(target.position_m, base.position_m) <= MAX_OFFSET_M
        return state.held is None and on_top
