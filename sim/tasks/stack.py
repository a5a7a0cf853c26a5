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
        target, base = state.places_m(episode)
        height_error = abs(float(target[2] - base[2]) - let_go_m(episode.plan, "on"))
        on_top = distance_xy(target, base) <= MAX_OFFSET_M and height_error <= HEIGHT_TOLERANCE_M
        return state.held is None and on_top
