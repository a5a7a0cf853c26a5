# SPDX-License-Identifier: Apache-2.0
"""stack: one block on top of another."""

from embodied.plan import BLOCK_SIZE_M
from sim.tasks.base import Episode, SceneState, Task, distance_xy

MAX_OFFSET_M = 0.025
HEIGHT_TOLERANCE_M = 0.01


class Stack(Task):
    """Success: the target rests one block's height above the reference, released."""

    name = "stack"
    reference_kinds = ("block",)
    templates = (
        "stack {a} on {b}",
        "stack {a} on top of {b}",
        "stack {a} onto {b}",
        "put {a} on {b}",
        "put {a} on top of {b}",
        "put {a} onto {b}",
        "place {a} on {b}",
        "place {a} on top of {b}",
        "set {a} on {b}",
        "set {a} on top of {b}",
        "pile {a} on {b}",
        "lay {a} on top of {b}",
        "move {a} on top of {b}",
        "pick up {a} and put it on {b}",
        "take {a} and stack it on {b}",
        "take {a} and place it on top of {b}",
        "on top of {b}, put {a}",
        "on {b}, place {a}",
        "{a} goes on top of {b}",
        "{a} goes on {b}",
        "make a tower of {a} on {b}",
        "build a tower with {a} on {b}",
        "balance {a} on {b}",
        "cover {b} with {a}",
        "heap {a} on {b}",
        "load {a} onto {b}",
        "lift {a} and put it on {b}",
        "let {a} stand on {b}",
        "{a} must be on top of {b}",
        "{b} carries {a}",
        "drop {a} onto {b}",
        "seat {a} on {b}",
        "top {b} with {a}",
        "park {a} on top of {b}",
    )
    held_out_templates = (
        "mount {a} on {b}",
        "perch {a} on top of {b}",
        "{a} should sit on {b}",
        "rest {a} upon {b}",
        "lift {a} and release it above {b}",
        "on {b} is where {a} should be",
    )

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = state.objects[str(episode.plan.target)].position_m
        base = state.objects[str(episode.plan.reference)].position_m
        height_error = abs(float(target[2] - base[2]) - BLOCK_SIZE_M)
        return (
            state.held is None
            and distance_xy(target, base) <= MAX_OFFSET_M
            and height_error <= HEIGHT_TOLERANCE_M
        )
