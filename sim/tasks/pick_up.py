# SPDX-License-Identifier: Apache-2.0
"""pick_up: lift one block clear of the table and hold it."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from embodied.types import Float
from sim.tasks.base import Episode, SceneState, Task
from sim.tasks.words import listed

LIFTED_M = 0.08


class PickUp(Task):
    """Success: the target is held, its centre at least LIFTED_M above the table."""

    name = "pick_up"
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "v": listed("""
            pick up; lift; lift up; grab; grasp; take; take up; raise; raise up; hold; hold up; get;
            get hold of; grip; catch; collect; bring up; snatch; pluck; scoop up; clutch; clasp; heave;
            heave up; uplift; boost; gather; gather up; retrieve; carry; haul up; jack up; pull up; nab;
            capture; obtain; acquire; secure; remove; draw up; grapple; hook; bear; bring; move up; win;
            pick; claw; latch onto; hang on to; keep; steal; rescue; save; lever up; crane up; suspend;
            levitate; have; display
        """),
        "g": listed("""
            close your fingers on; close the gripper on; squeeze; pinch; grip; grasp; clamp; clench
        """),
    }
    templates = (
        *("{v} {a}",) * 10,
        "{v} {a} off the table",
        "{v} {a} from the table",
        "{v} {a} with the gripper",
        "{v} {a} with your hand",
        "{v} {a} with your fingers",
        "{v} {a} in your hand",
        "{v} {a} and hold it",
        "{v} {a} and keep it in the air",
        "{v} {a} and hold it up",
        "{v} {a} and hold on to it",
        "{v} {a} and show it to me",
        "{v} {a} into the air",
        "{v} {a} high above the table",
        "{v} only {a}",
        "use the gripper to {v} {a}",
        "use your hand to {v} {a}",
        "reach down and {v} {a}",
        "reach for {a} and lift it",
        "find {a} and lift it",
        "go to {a} and pick it up",
        "pick {a} up",
        "lift {a} up",
        "take {a} up",
        "bring {a} up",
        "raise {a} up high",
        "{g} {a} and lift",
        "{g} {a} and lift it",
        "{g} {a} and pull it up",
        "{g} {a} and go up",
        "{g} {a}, then go up",
        "get {a} into your hand",
        "get {a} into the air",
        "i want {a} in the air",
        "i want {a} in your hand",
        "i want to see {a} in the air",
        "{a} has to be in the air",
        "{a} must be in your hand",
        "{a} must be lifted",
        "{a} should be lifted",
        "{a} off the table",
        "{a} into your hand",
        "up with {a}",
        "let {a} hang in the air",
        "keep {a} in your hand",
        "keep {a} in the gripper",
        "hold {a} in the air",
        "hold {a} above the table",
        "carry {a} upwards",
        "move {a} up",
        "bring {a} off the table",
        "with the gripper, lift {a}",
        "free the table of {a}",
        "i want to see {a} held up high",
        "get {a} off the table and keep hold of it",
        "grasp {a}, then bring it up",
        "take {a} in your hand and don't put it down",
        "please raise {a} so i can see it",
        "{a} should be up in your gripper",
        "close your fingers around {a} and go up with it",
        "scoop up {a} and just keep holding it",
        "{v} {a} so i can see it",
        "{v} {a} and don't put it down",
        "{v} {a} and wait",
        "{v} {a} and stay there",
        "{v} {a} and do not let go",
        "can i see {a} up close? lift it",
        "show me {a} in the air",
        "{a} up, please",
        "i would like {a} in your hand",
        "i need {a} off the table",
        "take {a} and lift it",
    )
    held_out_templates = (
        "hoist {a}",
        "fetch {a} from the table",
        "take hold of {a} and raise it",
        "seize {a}",
        "elevate {a}",
        "have {a} in the gripper, up in the air",
        "grab {a} and hold it in the air",
        "hoist {a} off the table",
        "could you lift {a} up for me, love",
        "take {a} in your hand and keep it up there",
        "grasp {a}, then raise it",
        "i need {a} picked up",
        "{a} must go up from the table, hold it please",
        "get hold of {a} and show it to me up high",
        "let's see you raise {a} above the table",
    )

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = str(episode.plan.target)
        return state.held == target and float(state.objects[target].position_m[2]) >= LIFTED_M

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        start = {o.name: o for o in episode.objects}[str(episode.plan.target)].position_m
        return start + np.array([0.0, 0.0, LIFTED_M])
