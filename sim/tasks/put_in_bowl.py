# SPDX-License-Identifier: Apache-2.0
"""put_in_bowl: one block into one bowl."""

from sim.tasks.base import Episode, SceneState, Task, distance_xy

INSIDE_M = 0.05
MAX_HEIGHT_M = 0.05


class PutInBowl(Task):
    """Success: the target's centre is within INSIDE_M of the bowl's, low, and released."""

    name = "put_in_bowl"
    reference_kinds = ("bowl",)
    templates = (
        "put {a} in {b}",
        "put {a} into {b}",
        "put {a} inside {b}",
        "place {a} in {b}",
        "place {a} inside {b}",
        "drop {a} in {b}",
        "drop {a} into {b}",
        "move {a} into {b}",
        "move {a} to {b}",
        "set {a} in {b}",
        "throw {a} into {b}",
        "pick up {a} and put it in {b}",
        "take {a} and drop it in {b}",
        "take {a} and place it inside {b}",
        "in {b}, put {a}",
        "into {b} goes {a}",
        "{a} goes in {b}",
        "{a} belongs in {b}",
        "fill {b} with {a}",
        "insert {a} into {b}",
        "transfer {a} to {b}",
        "bring {a} to {b}",
        "grab {a} and move it into {b}",
        "use {b} to store {a}",
        "load {a} into {b}",
        "dump {a} in {b}",
        "tuck {a} into {b}",
        "lay {a} in {b}",
        "stash {a} in {b}",
        "toss {a} into {b}",
        "let {a} fall into {b}",
        "{b} gets {a}",
        "inside {b}, put {a}",
        "{a} must be inside {b}",
        "lift {a} and put it in {b}",
    )
    held_out_templates = (
        "deposit {a} in {b}",
        "stow {a} inside {b}",
        "{a} should end up in {b}",
        "pop {a} into {b}",
        "lift {a} and release it over {b}",
        "inside {b} is where {a} should be",
    )

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = state.objects[str(episode.plan.target)]
        bowl = state.objects[str(episode.plan.reference)]
        return (
            state.held is None
            and distance_xy(target.position_m, bowl.position_m) <= INSIDE_M
            and float(target.position_m[2]) <= MAX_HEIGHT_M
        )
