# SPDX-License-Identifier: Apache-2.0
"""touch: bring the finger tips to one thing and to nothing else."""

from collections.abc import Mapping
from typing import ClassVar

from sim.tasks.base import Episode, SceneState, Task
from sim.tasks.words import listed


class Touch(Task):
    """Success: the target was touched and nothing else was."""

    name = "touch"
    target_kinds = ("block", "bowl", "zone")
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "v": listed("""
            touch; tap; poke; press; press on; press down on; push on; push down on; make contact with;
            contact; feel; brush; dab; stroke; rub; jab; tickle; bump; graze; caress; pet; tag; probe;
            sense; scratch; knock on; poke at; reach; reach for; point at; point to; meet;
            come into contact with; bop; finger; tip; test; tap on; stroke over; indicate; examine by touch;
            hit softly; slap softly; smear; wipe; kiss; reach out to; stretch out to; aim for; approach;
            get to
        """),
        "n": listed("""
            tap; touch; push; knock; press; rub; stroke; bump; brush; scratch; tickle; kiss; jab; slap;
            feel; dab
        """),
        "s": listed("""
            little; soft; light; quick; short; careful
        """),
        "f": listed("""
            finger; fingers; hand; gripper; fingertips; arm; fingertip; tool; claw; tips of your fingers
        """),
    }
    templates = (
        *("{v} {a}",) * 8,
        "{v} {a} with the {f}",
        "{v} {a} with your {f}",
        "{v} {a} with one finger",
        "{v} the top of {a}",
        "{v} {a} once",
        "{v} {a} twice",
        "{v} {a} lightly",
        "{v} {a} softly",
        "{v} {a} and nothing else",
        "only {v} {a}",
        "go to {a} and {v} it",
        "go over to {a} and {v} it",
        "move to {a} and {v} it",
        "come down and {v} {a}",
        "reach down and {v} {a}",
        "reach out and {v} {a}",
        "find {a} and {v} it",
        "use your {f} to {v} {a}",
        "use the {f} to {v} {a}",
        "see {a}, {v} it",
        "give {a} a {n}",
        "give {a} a {s} {n}",
        "do a {s} {n} on {a}",
        "{a} needs a {n}",
        "{a} gets a {n}",
        "put your {f} on {a}",
        "put the {f} on {a}",
        "place your {f} on {a}",
        "place the {f} on {a}",
        "set your {f} on {a}",
        "rest your {f} on {a}",
        "bring your {f} to {a}",
        "bring the {f} down on {a}",
        "move your {f} to {a}",
        "move the {f} to {a}",
        "lower the {f} onto {a}",
        "lower your {f} to {a}",
        "let the {f} touch {a}",
        "let your {f} reach {a}",
        "hover down until you touch {a}",
        "your {f} should touch {a}",
        "your {f} must be on {a}",
        "the {f} goes on {a}",
        "get your {f} onto {a}",
        "point your {f} at {a}",
        "have the {f} touch {a}",
        "{a} must be touched",
        "{a} has to be touched by the {f}",
        "where is {a}? touch it",
        "feel the top of {a}",
        "put your fingertips on {a}",
        "go over to {a} and give it a light touch",
        "go to {a} and give it a {n}",
        "just reach out and feel {a}",
        "bring your {f} down until it meets {a}",
        "move the {f} down until you feel {a}",
        "{a} needs a quick touch, nothing more",
        "reach for {a} and stop when you are touching it",
        "approach {a} and stop when you feel it",
        "your {f} should be resting against {a}",
        "show me which one is {a} by tapping it",
        "show me {a} with your {f}",
        "i want your {f} on {a}",
        "i want you to touch {a}, do not move it",
        "{v} {a} but do not move it",
        "{v} {a} without moving it",
        "just a {s} {n} on {a}",
        "i would like a {s} {n} on {a}",
    )
    held_out_templates = (
        "prod {a}",
        "lay a finger on {a}",
        "give {a} a gentle poke",
        "let your fingertips meet {a}",
        "reach over and tap {a}",
        "pat {a}",
        "would you give {a} a little tap, dear",
        "make contact with {a} using your gripper tips",
        "i want that you touch {a} with the fingers",
        "just rest your fingertips on {a} and do nothing more",
        "{a}, can you feel it with your fingers for me",
        "reach out until you are touching {a}",
        "go and boop {a}",
        "lay a finger on {a} please",
        "bring your hand over so it just brushes against {a}",
    )

    def success(self, episode: Episode, state: SceneState) -> bool:
        return state.touched == {str(episode.plan.target)}

    def score(self, episode: Episode, state: SceneState) -> float:
        if self.success(episode, state):
            return 1.0
        return 0.5 if str(episode.plan.target) in state.touched else 0.0
