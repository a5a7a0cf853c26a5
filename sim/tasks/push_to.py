# SPDX-License-Identifier: Apache-2.0
"""push_to: slide one block over the table onto a coloured zone."""

from collections.abc import Mapping
from typing import ClassVar

from sim.tasks.base import Episode, SceneState, Task, distance_xy
from sim.tasks.words import listed

ON_ZONE_M = 0.045
ON_TABLE_M = 0.03


class PushTo(Task):
    """Success: the target's centre lies within ON_ZONE_M of the zone's, on the table."""

    name = "push_to"
    reference_kinds = ("zone",)
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "v": listed("""
            push; slide; shove; move; bring; drive; drag; thrust; glide; steer; force; herd; press; pull;
            guide; bump; bulldoze; budge; skid; shunt; usher; ease; inch; skate; poke; tow; haul; roll;
            work; plough; hustle; manoeuvre; send; slip; jostle; rub; butt; chase; squeeze; row
        """),
        "t": listed("""
            to; onto; into; towards; over to; on to; until; till; up to; across to; all the way to;
            in the direction of; over onto
        """),
        "m": listed("""
            must slide; goes; must go; has to slide; needs to go; slides; belongs; moves; has to move;
            is to go
        """),
    }
    templates = (
        *("{v} {a} {t} {b}",) * 12,
        "{v} {a} across the table {t} {b}",
        "{v} {a} along the table {t} {b}",
        "{v} {a} over the table {t} {b}",
        "{v} {a} on the table {t} {b}",
        "{v} {a} with your hand {t} {b}",
        "{v} {a} until it is on {b}",
        "{v} {a} until it lies on {b}",
        "{v} {a} till it is on {b}",
        "{v} {a} as far as {b}",
        "{v} {a} so that it is on {b}",
        "{t} {b}, {v} {a}",
        "with your hand {v} {a} {t} {b}",
        "with the gripper {v} {a} {t} {b}",
        "put {a} on {b}",
        "put {a} in {b}",
        "place {a} on {b}",
        "set {a} on {b}",
        "move {a} onto {b}",
        "lay {a} on {b}",
        "bring {a} to {b}",
        "{a} onto {b}",
        "{a} to {b}",
        *("{a} {m} {t} {b}",) * 2,
        "{a} must be on {b}",
        "{a} has to be on {b}",
        "{a} belongs on {b}",
        "i want {a} on {b}",
        "i want {a} to be on {b}",
        "make {a} slide {t} {b}",
        "make sure {a} is on {b}",
        "let {a} slide {t} {b}",
        "give {a} a push {t} {b}",
        "go behind {a} and push it {t} {b}",
        "do not lift {a}, push it {t} {b}",
        "without lifting, {v} {a} {t} {b}",
        "cover {b} with {a}",
        "the right place for {a} is on {b}",
        "{v} {a} along until it is on {b}",
        "{v} {a} along till it is on {b}",
        "{v} {a} along the table onto {b}",
        "{v} {a} all the way to {b}",
        "without lifting it, move {a} to {b}",
        "give {a} a push so it ends on {b}",
        "give {a} a shove towards {b}",
        "i want {a} slid across to {b}",
        "i want {a} pushed {t} {b}",
        "i would like {a} pushed {t} {b}",
        "{a} should be pushed {t} {b}",
        "{a} should slide {t} {b}",
        "get behind {a} and push it onto {b}",
        "keep {a} on the table and slide it to {b}",
        "don't pick up {a}, just push it till it is on {b}",
        "don't lift {a}, {v} it {t} {b}",
        "see {b}? {v} {a} {t} it",
        "find {b} and {v} {a} {t} it",
        "{b} is where to {v} {a}",
        "{b} is the goal for {a}",
        "{b} should get {a}, {v} it",
        "start behind {a} and {v} it {t} {b}",
    )
    held_out_templates = (
        "nudge {a} over to {b}",
        "scoot {a} to {b}",
        "sweep {a} onto {b}",
        "keep pushing {a} till it reaches {b}",
        "shift {a} along until {b}",
        "propel {a} towards {b}",
        "shove {a} across the table until it is on {b}",
        "without lifting it, move {a} onto {b}",
        "nudge {a} along till it reaches {b}",
        "give {a} a push so it ends up on {b}",
        "{a} needs sliding onto {b}",
        "keep {a} flat on the table and scoot it onto {b}",
        "i want you pushing {a} until it arrives in {b}",
    )

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = state.objects[str(episode.plan.target)].position_m
        zone = state.objects[str(episode.plan.reference)].position_m
        return float(target[2]) <= ON_TABLE_M and distance_xy(target, zone) <= ON_ZONE_M
