# SPDX-License-Identifier: Apache-2.0
"""push_to: slide one block over the table onto a coloured zone."""

from sim.tasks.base import Episode, SceneState, Task, distance_xy

ON_ZONE_M = 0.045
ON_TABLE_M = 0.03


class PushTo(Task):
    """Success: the target's centre lies within ON_ZONE_M of the zone's, on the table."""

    name = "push_to"
    reference_kinds = ("zone",)
    templates = (
        "push {a} to {b}",
        "push {a} onto {b}",
        "push {a} into {b}",
        "push {a} over to {b}",
        "slide {a} to {b}",
        "slide {a} onto {b}",
        "slide {a} into {b}",
        "slide {a} across the table to {b}",
        "shove {a} to {b}",
        "shove {a} onto {b}",
        "move {a} to {b}",
        "move {a} onto {b}",
        "put {a} on {b}",
        "put {a} in {b}",
        "bring {a} to {b}",
        "push {a} along the table to {b}",
        "push {a} until it is on {b}",
        "push {a} towards {b}",
        "drive {a} to {b}",
        "{a} must slide to {b}",
        "{a} goes to {b}",
        "to {b}, push {a}",
        "with your hand push {a} to {b}",
        "drag {a} to {b}",
        "thrust {a} to {b}",
        "press {a} along to {b}",
        "glide {a} onto {b}",
        "steer {a} to {b}",
        "force {a} onto {b}",
        "herd {a} to {b}",
        "push {a} on until {b}",
        "slide {a} till it is on {b}",
        "{a} must be on {b}",
        "ease {a} over to {b}",
    )
    held_out_templates = (
        "nudge {a} over to {b}",
        "scoot {a} to {b}",
        "sweep {a} onto {b}",
        "keep pushing {a} till it reaches {b}",
        "shift {a} along until {b}",
        "propel {a} towards {b}",
    )

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = state.objects[str(episode.plan.target)].position_m
        zone = state.objects[str(episode.plan.reference)].position_m
        return float(target[2]) <= ON_TABLE_M and distance_xy(target, zone) <= ON_ZONE_M
