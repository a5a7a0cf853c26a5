# SPDX-License-Identifier: Apache-2.0
"""Chance level: moves well and sees where things are, or moves anyhow, but does not read the words."""

import numpy as np

from embodied.errors import EmbodiedError
from embodied.motion.raw import ACTION_LOWER, ACTION_UPPER, RawActions
from embodied.motion.skills import SkillCall
from embodied.policy import PRIVILEGED
from embodied.types import Decision, Float, Instruction, Observation, Vector


class RandomPolicy:
    """Makes the right kind of motion with things picked at random.

    A task's score above this policy's is due to knowing which things the words name. Where an environment says
    what its actions may be and no more, it draws from all of them.
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
        lower, upper = (observation.readings.get(name) for name in (ACTION_LOWER, ACTION_UPPER))
        if isinstance(lower, Vector) and isinstance(upper, Vector):
            row = self._rng.uniform(_bound(lower, -1.0), _bound(upper, 1.0))
            stamp_s = observation.stamp_s
            motion = RawActions(rows=row[None])
            return Decision(text="anything", motion=motion, observation_stamp_s=stamp_s, done=False)
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


def _bound(reading: Vector, otherwise: float) -> Float:
    return np.where(np.isfinite(reading.values), reading.values, otherwise)
