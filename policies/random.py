# SPDX-License-Identifier: Apache-2.0
"""Chance level: moves well and sees where things are, but does not read the words."""

import numpy as np

from embodied.errors import EmbodiedError
from embodied.motion.skills import SkillCall
from embodied.policy import PRIVILEGED
from embodied.types import Decision, Instruction, Observation


class RandomPolicy:
    """Makes the right kind of motion with things picked at random.

    A task's score above this policy's is due to knowing which things the words name.
    """

    needs: tuple[str, ...] = (PRIVILEGED,)

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        """Begin the episode of `seed`: equal seeds give equal choices, whatever came before."""
        if seed is not None:
            # Not the stream that the scene of the same seed was drawn from.
            self._rng = np.random.default_rng([seed, 1])

    def decide(self, observation: Observation) -> Decision:
        """A motion at random things. Raises EmbodiedError without a simulator behind it."""
        if observation.privileged is None:
            raise EmbodiedError("this policy needs a simulator: the observation has no privileged view")
        right = observation.privileged.oracle()
        if not isinstance(right, SkillCall):
            raise EmbodiedError("this policy puts things by chance into a skill; the task's solution is none")
        things = list(observation.privileged.objects().values())
        count = min(len(right.points_m), len(things))
        chosen = self._rng.choice(len(things), size=count, replace=False)
        points = right.points_m.copy()
        points[:count, :2] = [things[i].position_m[:2] for i in chosen]
        return Decision(
            text=f"{right.skill} {', '.join(things[i].name for i in chosen)}",
            motion=SkillCall(skill=right.skill, points_m=points),
            observation_stamp_s=observation.stamp_s,
        )
