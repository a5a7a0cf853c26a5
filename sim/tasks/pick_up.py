# SPDX-License-Identifier: Apache-2.0
"""pick_up: lift one block clear of the table and hold it."""

import numpy as np

from embodied.types import Float
from sim.tasks.base import Episode, SceneState, Task

LIFTED_M = 0.08


class PickUp(Task):
    """Success: the target is held, its centre at least LIFTED_M above the table."""

    name = "pick_up"
    templates = (
        "pick up {a}",
        "pick {a} up",
        "lift {a}",
        "lift up {a}",
        "lift {a} off the table",
        "grab {a}",
        "grasp {a}",
        "take {a}",
        "take {a} in your hand",
        "take {a} off the table",
        "raise {a}",
        "hold {a}",
        "hold up {a}",
        "get {a}",
        "get hold of {a}",
        "grip {a} and lift it",
        "catch {a}",
        "pick {a} from the table",
        "bring {a} up",
        "collect {a}",
        "grab {a} and hold it up",
        "take up {a}",
        "snatch {a}",
        "pluck {a}",
        "scoop up {a}",
        "clutch {a}",
        "clasp {a}",
        "heave {a}",
        "heave up {a}",
        "uplift {a}",
        "boost {a}",
        "gather {a}",
        "retrieve {a}",
        "remove {a} from the table",
        "carry {a}",
        "haul up {a}",
        "jack up {a}",
        "pinch {a} and pull it up",
        "lift {a} into the air",
        "raise {a} into the air",
        "hold {a} in the air",
        "keep {a} in your hand",
        "get {a} into your hand",
        "close the gripper on {a} and lift",
        "{a} must be in your hand",
        "with the gripper, lift {a}",
        "bring {a} off the table",
    )
    held_out_templates = (
        "hoist {a}",
        "fetch {a} from the table",
        "take hold of {a} and raise it",
        "seize {a}",
        "elevate {a}",
        "have {a} in the gripper, up in the air",
    )

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = str(episode.plan.target)
        return state.held == target and float(state.objects[target].position_m[2]) >= LIFTED_M

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        start = {o.name: o for o in episode.objects}[str(episode.plan.target)].position_m
        return start + np.array([0.0, 0.0, LIFTED_M])
