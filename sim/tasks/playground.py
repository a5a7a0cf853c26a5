# SPDX-License-Identifier: Apache-2.0
"""playground: a fixed set of things to command freely; nothing is scored."""

import numpy as np

from embodied.language.nouns import Noun
from embodied.language.verbs import Plan
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import place_things

NOUNS = (
    *(Noun(colour, "block") for colour in ("red", "blue", "yellow")),
    *(Noun(colour, "bowl") for colour in ("green", "white")),
    Noun("purple", "zone"),
)


@register
class Playground(Task):
    """The scene that a launch shows by default. It has no goal of its own, so it never succeeds."""

    name = "playground"
    verb = "put_in_bowl"
    templates = ("put {a} in {b}",)
    splits = ("seen",)

    def sample(self, rng: np.random.Generator, split: str = "seen") -> Episode:
        plan = Plan(verb=self.verb, target=NOUNS[0], reference=NOUNS[3])
        objects = None
        while objects is None:
            objects = place_things(NOUNS, rng)
        text = self.say(plan, rng)
        return Episode(task=self.name, split=split, objects=objects, instruction=text, plan=plan)

    def success(self, episode: Episode, state: SceneState) -> bool:
        return False
