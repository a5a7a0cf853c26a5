# SPDX-License-Identifier: Apache-2.0
"""put_in_bowl: one block into one bowl."""

from sim.tasks.base import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy

INSIDE_M = 0.05
MAX_HEIGHT_M = 0.05


@register
class PutInBowl(Task):
    """Success: the target's centre is within INSIDE_M of the bowl's, low, and released."""

    name = "put_in_bowl"
    verb = "put_in_bowl"
    reference_kinds = ("bowl",)

    def success(self, episode: Episode, state: SceneState) -> bool:
        target, bowl = state.places_m(episode)
        inside = distance_xy(target, bowl) <= INSIDE_M and float(target[2]) <= MAX_HEIGHT_M
        return state.held is None and inside
