# SPDX-License-Identifier: Apache-2.0
"""A policy that wraps a policy: what the other says as a skill, this one does in chunks of small steps.

After each chunk, and in a graph while the arm still moves, it looks where the hand is and goes on from there, so that
one skill is many decisions: an arm that is driven by chunks does what an arm that is driven by skills does.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied.arm import DEFAULT_ARM, ArmModel, arm_model
from embodied.geometry import beside
from embodied.motion.actions import (
    CHUNK_RATE_HZ,
    MAX_STEP_M,
    MAX_TURN_RAD,
    ActionChunk,
    stepped,
    to_chunk,
    turn_to,
)
from embodied.motion.hand import HandPose, slerp
from embodied.motion.skills import SkillCall
from embodied.policy import make_policy
from embodied.types import Decision, Instruction, Joints, Observation

ROWS = 16
"""Steps of a chunk: a decision that takes 0.3 s comes well before the chunk before it slows down to its end."""
_BESIDE_M = 0.005
"""So far beside its way the hand is still on it."""


class ChunksPolicy:
    """Decides as the policy `of` does, and answers with chunks of `rows` steps.

    Args:
        of: the policy that decides; `options` are its own.
        arm: the arm that it is for.
        rows: steps of a chunk, CHUNK_RATE_HZ of them a second.
        delay_s: what each decision takes longer, to measure what that does.
    """

    def __init__(
        self, of: str = "palme", arm: str = DEFAULT_ARM, rows: int = ROWS, delay_s: float = 0.0, **options: Any
    ) -> None:
        self._policy = make_policy(of, options)
        self._model, self._rows, self._delay_s = arm_model(arm), rows, delay_s
        self.needs = self._policy.needs
        self._decision: Decision | None = None
        self._way: Way | None = None

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        """A new command."""
        self._policy.reset(instruction, seed)
        self._way = None

    def decide(self, observation: Observation) -> Decision:
        """The next steps of the skill under way, or the first of a new one."""
        time.sleep(self._delay_s)
        if self._way is None:
            self._decision = self._policy.decide(observation)
            if not isinstance(self._decision.motion, SkillCall):
                return self._decision
            self._way = Way.of(self._model, self._decision.motion, observation.joints)
        assert self._decision is not None
        rows, last = self._way.next(observation.joints, self._rows)
        done = last and self._decision.done
        if last:
            self._way = None
        chunk = ActionChunk(ee_delta=rows)
        return replace(self._decision, motion=chunk, done=done, observation_stamp_s=observation.stamp_s)


@dataclass
class Way:
    """The steps of a skill, and which of them the hand has come to."""

    model: ArmModel
    steps: NDArray[np.float64]  # (T, 7)
    poses: list[HandPose]  # T + 1
    seen_s: float  # when the hand was at `place`
    place: float = 0.0

    @classmethod
    def of(cls, model: ArmModel, call: SkillCall, joints: Joints) -> "Way":
        start = HandPose.from_matrix(model.chain.forward(joints.position_rad))
        steps = to_chunk(model, call, start, joints.gripper_width_m).ee_delta.astype(np.float64)
        poses = [start]
        for step in steps:
            poses.append(stepped(model, poses[-1], step)[0])
        return cls(model=model, steps=steps, poses=poses, seen_s=joints.stamp_s)

    def next(self, joints: Joints, rows: int) -> tuple[NDArray[np.float32], bool]:
        """The next steps (T, 7) from where the hand is, and whether they are the last."""
        hand = HandPose.from_matrix(self.model.chain.forward(joints.position_rad))
        self.place, self.seen_s = self._place(hand, joints.stamp_s), joints.stamp_s
        begins = np.arange(self.place, len(self.steps) - 1e-6)[:rows]
        taken = np.zeros((len(begins), 7))
        at = hand
        # Each step is a whole one, or the hand would be slower in the first; it makes up for what is beside the way.
        for row, begin in zip(taken, begins.tolist(), strict=True):
            there = self._pose(min(begin + 1.0, len(self.steps)))
            row[6] = self.steps[int(begin + 1e-6), 6]
            if self._moves(begin) or np.linalg.norm(there.position_m - at.position_m) > _BESIDE_M:
                row[:3] = np.clip(there.position_m - at.position_m, -MAX_STEP_M, MAX_STEP_M)
                row[3:6] = np.clip(turn_to(at, there), -MAX_TURN_RAD, MAX_TURN_RAD)
                at, _ = stepped(self.model, at, row)
        return taken.astype(np.float32), self.place + rows >= len(self.steps)

    def _moves(self, begin: float) -> bool:
        """Whether the hand moves in the step that begins at a place."""
        touched = self.steps[int(begin + 1e-6) : int(np.ceil(begin + 1.0 - 1e-6)), :6]
        return bool(touched.any())

    def _pose(self, place: float) -> HandPose:
        """Where the hand is at a place between two steps."""
        row = min(int(place + 1e-6), len(self.poses) - 2)
        a, b, share = self.poses[row], self.poses[row + 1], float(np.clip(place - row, 0.0, 1.0))
        turned = slerp(a.orientation, b.orientation, np.array([share]))[0]
        return HandPose(position_m=a.position_m + share * (b.position_m - a.position_m), orientation=turned)

    def _place(self, hand: HandPose, stamp_s: float) -> float:
        """Where on the way the hand is: near it, and as far on as time allows.

        Where the way comes back on itself, or waits, what fits the time best counts.
        """
        expected = self.place + (stamp_s - self.seen_s) * CHUNK_RATE_HZ
        end = min(int(np.ceil(expected)) + 1, len(self.steps))
        rows = np.arange(int(self.place), max(end, int(self.place) + 1))
        points = np.array([self.poses[row].position_m for row in (*rows, rows[-1] + 1)])
        share, away = beside(hand.position_m, points)
        # A row that waits is one place all along.
        waits = (np.diff(points, axis=0) ** 2).sum(axis=1) < 1e-12
        share = np.where(waits, np.clip(expected - rows, 0.0, 1.0), share)
        places = np.maximum(rows + share, self.place)
        near = away < away.min() + _BESIDE_M
        return float(min(places[near], key=lambda place: abs(place - expected)))
