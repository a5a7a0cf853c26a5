# SPDX-License-Identifier: Apache-2.0
"""The policy that sees the simulator's truth: the upper bound, and the teacher of demonstrations."""

from embodied.errors import EmbodiedError
from embodied.motion.skills import SkillCall
from embodied.policy import PRIVILEGED
from embodied.types import Decision, Instruction, Observation


class OraclePolicy:
    """Answers every observation with the task's own solution."""

    needs: tuple[str, ...] = (PRIVILEGED,)

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        """The oracle knows the task already; the words change nothing."""

    def decide(self, observation: Observation) -> Decision:
        """The motion that solves the task, or its next step. Raises EmbodiedError without a simulator behind it."""
        if observation.privileged is None:
            raise EmbodiedError("the oracle needs a simulator: this observation has no privileged view")
        motion, left = observation.privileged.oracle(), observation.privileged.steps_left()
        text = motion.skill if isinstance(motion, SkillCall) else type(motion).__name__
        return Decision(text=text, motion=motion, observation_stamp_s=observation.stamp_s, done=left <= 1)
