# SPDX-License-Identifier: Apache-2.0
"""playground: a fixed set of things to command freely; nothing is scored."""

import numpy as np

from embodied.plan import Plan, Thing
from sim.tasks.base import Episode, SceneState, Task, place_things

THINGS = (
    Thing("red", "block"),
    Thing("blue", "block"),
    Thing("yellow", "block"),
    Thing("green", "bowl"),
    Thing("white", "bowl"),
    Thing("purple", "zone"),
)


class Playground(Task):
    """The scene that a launch shows by default. It has no goal of its own, so it never succeeds."""

    name = "playground"
    templates = ("put {a} in {b}",)
    held_out_templates = templates

    def sample(self, rng: np.random.Generator, split: str = "seen") -> Episode:
        plan = Plan(act="put_in_bowl", target=THINGS[0], reference=THINGS[3])
        objects = None
        while objects is None:
            objects = place_things(list(THINGS), None, rng)
        return Episode(
            task=self.name, split=split, objects=objects, instruction=self.say(plan, rng), plan=plan
        )

    def success(self, episode: Episode, state: SceneState) -> bool:
        return False
