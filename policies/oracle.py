# SPDX-License-Identifier: Apache-2.0
"""The policy that sees the simulator's truth: the upper bound, and the teacher of demonstrations."""

from embodied.errors import EmbodiedError
from embodied.types import Decision, Instruction, Observation


class OraclePolicy:
    """Answers every observation with the task's own solution."""

    cameras: tuple[str, ...] = ()

    def reset(self, instruction: Instruction) -> None:
        """The oracle knows the task already; the words change nothing."""

    def decide(self, observation: Observation) -> Decision:
        """The motion that solves the task. Raises EmbodiedError without a simulator behind it."""
        if observation.privileged is None:
            raise EmbodiedError("the oracle needs a simulator: this observation has no privileged view")
        call = observation.privileged.oracle()
        return Decision(text=call.skill, motion=call, observation_stamp_s=observation.stamp_s)
