# SPDX-License-Identifier: Apache-2.0
"""put_in_bowl: one thing into one bowl."""

from embodied.language.verbs.stack import STOREY_M
from embodied.things import thing_of
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy, let_go_m

INSIDE_M = 0.05
"""What is within this of the middle of a bowl is in it; in a narrower thing, what is within its footprint."""


@register
class PutInBowl(Task):
    """Success: the target's centre is over the bowl's floor, as low as it is let go there, and released.

    A thing that lies in the bowl already may be under it.
    """

    name = "put_in_bowl"
    verb = "put_in_bowl"
    reference_kinds = ("bowl",)

    def success(self, episode: Episode, state: SceneState) -> bool:
        target, bowl = state.of(episode, "target"), state.of(episode, "reference")
        inside_m = min(INSIDE_M, thing_of(bowl).radius_m)
        within = [o for o in state.objects.values() if distance_xy(o.position_m, bowl.position_m) <= inside_m]
        under = sum(o.name not in (target.name, bowl.name) and o.position_m[2] < target.position_m[2] for o in within)
        high_m = float(target.position_m[2] - bowl.position_m[2])
        low = high_m <= let_go_m(target, bowl, "in") + under * STOREY_M
        return state.held is None and low and distance_xy(target.position_m, bowl.position_m) <= inside_m
