# SPDX-License-Identifier: Apache-2.0
"""The loop that joins words, senses and a policy; the evaluator and the agent node both drive it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from embodied.errors import ObservationError
from embodied.policy import Policy
from embodied.types import Decision, Instruction, Observation

MAX_INSTRUCTION_CHARACTERS = 500


class Subscriber(Protocol):
    """Something that records or shows what the agent decides."""

    def on_decision(self, instruction: Instruction, observation: Observation, decision: Decision) -> None:
        """Called after every decision, refusals included."""


class Agent:
    """Observe, decide: one policy, one instruction at a time.

    `clock` gives the time in seconds on the clock that stamps the observations. An observation (or
    one of the pictures that the policy reads) older than `max_observation_age_s` is refused: what
    was true then may not be true now.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_observation_age_s: float = 0.5,
        subscribers: Sequence[Subscriber] = (),
    ) -> None:
        assert max_observation_age_s > 0, max_observation_age_s
        self.policy = policy
        self.max_observation_age_s = max_observation_age_s
        self._clock = clock
        self._subscribers = tuple(subscribers)
        self._instruction: Instruction | None = None

    @property
    def instruction(self) -> Instruction | None:
        """The command under way, or None."""
        return self._instruction

    def instruct(self, text: str) -> Instruction:
        """Start a new command; the one before it is forgotten."""
        instruction = Instruction(text=text, stamp_s=self._clock())
        self._instruction = instruction
        if unusable(text) is None:
            self.policy.reset(instruction)
        return instruction

    def stop(self) -> None:
        """Forget the command under way: `step` answers None until the next one."""
        self._instruction = None

    def step(self, observation: Observation) -> Decision | None:
        """One decision about `observation`; None while there is no command.

        Words that cannot be a command are answered here, without the policy. Raises ObservationError
        for an observation that is stale, incomplete or not finite.
        """
        instruction = self._instruction
        if instruction is None:
            return None
        answer = unusable(instruction.text)
        if answer is not None:
            decision = Decision(
                text=answer, motion=None, observation_stamp_s=observation.stamp_s, refused=True
            )
        else:
            self._check(observation)
            started = time.perf_counter()
            decision = self.policy.decide(observation)
            if "decide" not in decision.timings_ms:
                took_ms = (time.perf_counter() - started) * 1e3
                decision = replace(decision, timings_ms={**decision.timings_ms, "decide": took_ms})
        assert not (decision.refused and decision.motion is not None), "a refusal has no motion"
        for subscriber in self._subscribers:
            subscriber.on_decision(instruction, observation, decision)
        return decision

    def _check(self, observation: Observation) -> None:
        missing = [name for name in self.policy.cameras if name not in observation.cameras]
        if missing:
            have = ", ".join(sorted(observation.cameras)) or "none"
            raise ObservationError(f"no picture of camera {', '.join(missing)}; there are: {have}")
        now = self._clock()
        stamps = {"joint states": observation.stamp_s}
        stamps |= {f"picture of {name}": observation.cameras[name].stamp_s for name in self.policy.cameras}
        for what, stamp_s in stamps.items():
            age_s = now - stamp_s
            # Written so that a stamp that is not a number is refused as well.
            if not abs(age_s) <= self.max_observation_age_s:
                raise ObservationError(
                    f"the {what} is stale: {age_s:.3f} s old, the limit is {self.max_observation_age_s:.3f} s"
                )
        numbers = (
            observation.joint_position_rad,
            observation.joint_velocity_rad_s,
            np.array(observation.gripper_width_m),
        )
        if not all(np.isfinite(values).all() for values in numbers):
            raise ObservationError("the joint states hold a value that is not finite")


def unusable(text: str) -> str | None:
    """The plain answer to words that cannot be a command, or None for words that may be one."""
    if not text.strip():
        return "You said nothing. Tell me what to do, for example: put the red block in the green bowl."
    if len(text) > MAX_INSTRUCTION_CHARACTERS:
        return f"That is {len(text)} characters; I read at most {MAX_INSTRUCTION_CHARACTERS}. Say it shorter."
    if not any(character.isalpha() for character in text):
        return "I find no words in that. Say what to do, for example: put the red block in the green bowl."
    return None
