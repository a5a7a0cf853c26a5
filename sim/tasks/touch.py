# SPDX-License-Identifier: Apache-2.0
"""touch: bring the finger tips to one thing and to nothing else."""

from sim.tasks.base import Episode, SceneState, Task


class Touch(Task):
    """Success: the target was touched and nothing else was."""

    name = "touch"
    target_kinds = ("block", "bowl", "zone")
    templates = (
        "touch {a}",
        "tap {a}",
        "poke {a}",
        "press {a}",
        "press on {a}",
        "touch {a} with the gripper",
        "put your finger on {a}",
        "make contact with {a}",
        "give {a} a tap",
        "give {a} a touch",
        "reach out and touch {a}",
        "reach {a}",
        "point at {a}",
        "contact {a}",
        "go to {a} and touch it",
        "move your hand to {a}",
        "tap once on {a}",
        "feel {a}",
        "use your fingers to touch {a}",
        "bring the gripper down on {a}",
        "brush {a}",
        "dab {a}",
        "stroke {a}",
        "rub {a}",
        "jab {a}",
        "tickle {a}",
        "knock on {a}",
        "bump {a}",
        "graze {a}",
        "poke at {a}",
        "push down on {a}",
        "give {a} a little push",
        "give {a} a soft knock",
        "touch the top of {a}",
        "rest your finger on {a}",
        "reach for {a}",
        "stretch out to {a}",
        "meet {a} with your hand",
        "let the gripper touch {a}",
        "put your fingertips on {a}",
        "point your finger at {a}",
        "feel the top of {a}",
        "reach down and feel {a}",
        "hover down until you touch {a}",
        "your fingers should touch {a}",
    )
    held_out_templates = (
        "prod {a}",
        "lay a finger on {a}",
        "give {a} a gentle poke",
        "let your fingertips meet {a}",
        "reach over and tap {a}",
        "pat {a}",
    )

    def success(self, episode: Episode, state: SceneState) -> bool:
        return state.touched == {str(episode.plan.target)}

    def score(self, episode: Episode, state: SceneState) -> float:
        if self.success(episode, state):
            return 1.0
        return 0.5 if str(episode.plan.target) in state.touched else 0.0
