# SPDX-License-Identifier: Apache-2.0
"""stack: one block on top of another."""

from collections.abc import Mapping
from typing import ClassVar

from embodied.plan import BLOCK_SIZE_M
from sim.tasks.base import Episode, SceneState, Task, distance_xy
from sim.tasks.words import PICK_VERBS, PUT_VERBS, REST_VERBS, listed

MAX_OFFSET_M = 0.025
HEIGHT_TOLERANCE_M = 0.01


class Stack(Task):
    """Success: the target rests one block's height above the reference, released."""

    name = "stack"
    reference_kinds = ("block",)
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "v": (
            *PUT_VERBS,
            *listed("""
                stack; pile; balance; heap; seat; stand; superimpose; stack up; build
            """),
        ),
        "o": listed("""
            on; on top of; onto; atop; over; on the top of; above; up on
        """),
        "p": PICK_VERBS,
        "m": REST_VERBS,
    }
    templates = (
        *("{v} {a} {o} {b}",) * 10,
        *("{p} {a} and {v} it {o} {b}",) * 2,
        "{p} {a}, then {v} it {o} {b}",
        "{p} {a} and let it go {o} {b}",
        "{p} {a} and let go of it {o} {b}",
        "{p} {a} and set it down {o} {b}",
        "{p} {a} and open your hand {o} {b}",
        "{o} {b}, {v} {a}",
        "{o} {b} goes {a}",
        "{o} {b} with {a}",
        "{a} {o} {b}",
        *("{a} {m} {o} {b}",) * 2,
        "i want {a} {o} {b}",
        "i want {a} to be {o} {b}",
        "i want {a} to stand {o} {b}",
        "make sure {a} is {o} {b}",
        "make a tower of {a} {o} {b}",
        "build a tower with {a} {o} {b}",
        "build a tower, {b} below and {a} above",
        "make a pile, {a} {o} {b}",
        "cover {b} with {a}",
        "top {b} with {a}",
        "crown {b} with {a}",
        "let {a} stand {o} {b}",
        "let {a} lie {o} {b}",
        "let {b} carry {a}",
        "{b} carries {a}",
        "{b} must carry {a}",
        "{b} gets {a} on top",
        "{b} is the base for {a}",
        "{b} at the bottom, {a} on top",
        "have {b} hold {a} up",
        "use {b} as the base of a tower and {v} {a} {o} it",
        "the right place for {a} is {o} {b}",
        "i would like {a} {o} {b}",
        "put {a} on top of {b} and let go",
        "{v} {a} {o} {b} and let go",
        "build a tower with {a} above and {b} below",
        "i would like {a} sitting {o} {b}",
        "use {b} as a base and put {a} on it",
        "{a} should be resting {o} {b}",
        "lift {a} and leave it standing {o} {b}",
        "make a little tower by adding {a} to the top of {b}",
        "make {b} one higher with {a}",
        "{b} should have {a} on it",
        "{b} should have {a} on top of it",
        "i want {b} to have {a} on it",
        "{p} {a}, go over {b} and put it down",
        "{p} {a} and drop it {o} {b}",
        "see {b}? {v} {a} {o} it",
        "find {b} and {v} {a} {o} it",
        "{b} goes below, {a} above",
        "{b} below {a}",
        "{a} above {b}",
        "under {a} should be {b}",
        "{a} wants a seat {o} {b}",
    )
    held_out_templates = (
        "mount {a} on {b}",
        "perch {a} on top of {b}",
        "{a} should sit on {b}",
        "rest {a} upon {b}",
        "lift {a} and release it above {b}",
        "on {b} is where {a} should be",
        "make a tower with {b} at the bottom and {a} at the top",
        "set {a} down on top of {b}",
        "balance {a} on {b} and let it go",
        "on top of {b}, please place {a}",
        "{a} should be sitting on {b}",
        "i want to see {b} with {a} standing on it",
        "build a little tower by adding {a} on {b}",
        "use {b} as the base and put {a} over it",
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
