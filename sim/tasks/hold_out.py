# SPDX-License-Identifier: Apache-2.0
"""hold_out: take one thing and hold it out to the person."""

from embodied.motion.skills.hold_out import OUT_M
from embodied.types import Float
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy

NEAR_M, HIGH_M = 0.06, 0.3


@register
class HoldOut(Task):
    """Success: the target is held at least HIGH_M above the table, within NEAR_M of where things are held out."""

    name = "hold_out"
    verb = "hold_out"

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = state.of(episode, "target")
        out = distance_xy(target.position_m, OUT_M) <= NEAR_M and float(target.position_m[2]) >= HIGH_M
        return state.held == target.name and out

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        return OUT_M
