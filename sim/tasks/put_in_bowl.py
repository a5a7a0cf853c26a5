# SPDX-License-Identifier: Apache-2.0
"""put_in_bowl: one thing into one bowl."""

from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy, let_go_m

INSIDE_M = 0.05


@register
class PutInBowl(Task):
    """Success: the target's centre is within INSIDE_M of the bowl's, as low as it is let go, and released."""

    name = "put_in_bowl"
    verb = "put_in_bowl"
    reference_kinds = ("bowl",)

    def success(self, episode: Episode, state: SceneState) -> bool:
        target, bowl = state.places_m(episode)
        low = float(target[2] - bowl[2]) <= let_go_m(episode.plan, "in")
        return state.held is None and low and distance_xy(target, bowl) <= INSIDE_M
