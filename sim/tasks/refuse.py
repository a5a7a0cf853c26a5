# SPDX-License-Identifier: Apache-2.0
"""refuse: commands that must be answered and not obeyed: absent things, and what the arm cannot do."""

import numpy as np

from embodied.errors import EmbodiedError
from embodied.plan import Plan, Thing
from embodied.types import SkillCall
from sim.tasks.base import Episode, SceneState, Task
from sim.tasks.refusals import HELD_OUT_IMPOSSIBLE, absent_command, impossible_command
from sim.tasks.words import polite

IMPOSSIBLE_SHARE = 0.5


class Refuse(Task):
    """Success: nothing was touched. Measured beside the families; a policy that never moves gets 100 %.

    `paraphrase` draws held-out words, `pair` names things that training never showed.
    """

    name = "refuse"
    templates = ()
    held_out_templates = ()

    def __init__(self, families: tuple[Task, ...]) -> None:
        self._families = families

    def sample(self, rng: np.random.Generator, split: str = "seen") -> Episode:
        while True:
            family = self._families[rng.integers(len(self._families))]
            objects = family.sample(rng, "seen").objects
            present = [Thing(o.colour, o.kind) for o in objects]
            command: tuple[str, Plan] | None
            if split != "pair" and rng.random() < IMPOSSIBLE_SHARE:
                command = self._impossible(present, rng, split)
            else:
                command = absent_command(family, present, rng, split)
            if command is not None:
                text, plan = command
                return Episode(task=self.name, split=split, objects=objects, instruction=text, plan=plan)

    def _impossible(self, present: list[Thing], rng: np.random.Generator, split: str) -> tuple[str, Plan]:
        if split == "seen":
            return impossible_command(present, rng)
        sentence = HELD_OUT_IMPOSSIBLE[rng.integers(len(HELD_OUT_IMPOSSIBLE))]
        return polite(sentence, rng), Plan(act="cannot")

    def oracle(self, episode: Episode, state: SceneState) -> SkillCall:
        raise EmbodiedError("a command that must be refused has no motion; evaluate a policy that reads")

    def success(self, episode: Episode, state: SceneState) -> bool:
        return not state.touched and state.held is None

    def score(self, episode: Episode, state: SceneState) -> float:
        return float(self.success(episode, state))
