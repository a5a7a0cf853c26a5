# SPDX-License-Identifier: Apache-2.0
"""put_in_bowl: one block into one bowl."""

from collections.abc import Mapping
from typing import ClassVar

from sim.tasks.base import Episode, SceneState, Task, distance_xy
from sim.tasks.words import PICK_VERBS, PUT_VERBS, listed

INSIDE_M = 0.05
MAX_HEIGHT_M = 0.05


class PutInBowl(Task):
    """Success: the target's centre is within INSIDE_M of the bowl's, low, and released."""

    name = "put_in_bowl"
    reference_kinds = ("bowl",)
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "v": (
            *PUT_VERBS,
            *listed("""
                insert; tuck; stash; fling; pour; pack; save; slide; bury; collect
            """),
        ),
        "i": listed("""
            in; into; inside; inside of; within; to the inside of
        """),
        "p": PICK_VERBS,
        "m": listed("""
            belongs; goes; must go; has to go; needs to go; must be; has to be; falls; lands; lies;
            ought to be; is to be; wants to be
        """),
    }
    templates = (
        *("{v} {a} {i} {b}",) * 10,
        *("{v} {a} to {b}",) * 2,
        "move {a} over to {b}",
        *("{p} {a} and {v} it {i} {b}",) * 2,
        "{p} {a}, then {v} it {i} {b}",
        "{p} {a} and let it go {i} {b}",
        "{p} {a} and let it fall {i} {b}",
        "{p} {a} and open your hand over {b}",
        "{p} {a}, carry it to {b} and let go",
        "{p} {a} and bring it to {b}",
        "{i} {b}, {v} {a}",
        "{i} {b} goes {a}",
        "{i} {b} with {a}",
        "{a} {i} {b}",
        *("{a} {m} {i} {b}",) * 2,
        "i want {a} {i} {b}",
        "i want to have {a} {i} {b}",
        "i want {a} to be {i} {b}",
        "make sure {a} is {i} {b}",
        "see that {a} gets {i} {b}",
        "fill {b} with {a}",
        "use {b} to store {a}",
        "use {b} for {a}",
        "let {a} fall {i} {b}",
        "let {a} go {i} {b}",
        "{b} gets {a}",
        "{b} is for {a}",
        "{b} is the place for {a}",
        "{b} must contain {a}",
        "{b} must hold {a}",
        "{b} wants {a}",
        "have {b} hold {a}",
        "clean up {a} by putting it {i} {b}",
        "the right place for {a} is {i} {b}",
        "{a} needs to end in {b}",
        "i would like {a} {i} {b}",
        "into {b} with {a}",
        "{b} should have {a} in it",
        "{b} must have {a} in it",
        "i want {b} to have {a} in it",
        "{p} {a}, carry it over to {b} and drop it in",
        "{p} {a} and drop it over {b}",
        "{p} {a}, go to {b} and put it in",
        "{p} {a}, go over {b} and open the gripper",
        "see {b}? {v} {a} in it",
        "look at {b} and {v} {a} in there",
        "find {b} and {v} {a} in it",
        "take {b} as a home for {a}",
        "there is {b}, {a} goes in it",
        "let {b} have {a}",
        "give {a} to {b}",
        "give {b} {a}",
        "stick {a} {i} {b}",
    )
    held_out_templates = (
        "deposit {a} in {b}",
        "stow {a} inside {b}",
        "{a} should end up in {b}",
        "pop {a} into {b}",
        "lift {a} and release it over {b}",
        "inside {b} is where {a} should be",
        "pop {a} inside {b} for me, would you",
        "{a} belongs in {b}, so put it there",
        "i would like {a} to end up inside {b}",
        "fetch {a} and toss it in {b}",
        "use {b} to hold {a}, place it inside",
        "please to put inside of {b} the thing that is {a}",
        "can {a} go in {b} now",
    )

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = state.objects[str(episode.plan.target)]
        bowl = state.objects[str(episode.plan.reference)]
        return (
            state.held is None
            and distance_xy(target.position_m, bowl.position_m) <= INSIDE_M
            and float(target.position_m[2]) <= MAX_HEIGHT_M
        )
