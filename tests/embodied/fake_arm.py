# SPDX-License-Identifier: Apache-2.0
"""An arm and a policy that do at once what they are told, and remember it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from embodied.arm import Outcome, arm_model
from embodied.motion.actions import ActionChunk
from embodied.motion.hand import HandPose
from embodied.motion.skills import NO_POINTS_M, SkillCall, width_to_keep
from embodied.motion.skills.hold_out import OUT_M
from embodied.run import Agent
from embodied.types import Decision, Instruction, Joints, Motion, Observation, Picture

PANDA = arm_model("panda")
AWAY = PANDA.home_rad + 0.3
OUT = PANDA.chain.inverse(HandPose.down(OUT_M).matrix(), PANDA.home_rad, rest_rad=PANDA.home_rad)
PLACE = np.array([[0.5, 0.1, 0.02]])
TOUCH, PICK = SkillCall(skill="touch", points_m=PLACE), SkillCall(skill="pick", points_m=PLACE)
PUT_DOWN, HOLD_OUT = SkillCall(skill="place", points_m=PLACE + 0.1), SkillCall(skill="hold_out", points_m=PLACE)
OPEN, HOME = SkillCall(skill="open", points_m=NO_POINTS_M), SkillCall(skill="home", points_m=NO_POINTS_M)
CHUNK = ActionChunk(ee_delta=np.zeros((2, 7), dtype=np.float32))
NOW_S = 10.0


def frame(stamp_s: float = NOW_S) -> Picture:
    return Picture(
        rgb=np.zeros((4, 4, 3), np.uint8),
        intrinsics_px=np.eye(3),
        world_from_camera=np.eye(4),
        stamp_s=stamp_s,
    )


class FakeArm:
    """Does at once what it is told, and keeps what happened in `log`."""

    model = PANDA

    def __init__(self, position_rad: np.ndarray = PANDA.home_rad, width_m: float = 0.08) -> None:
        self.position_rad, self.width_m = position_rad, width_m
        self.log: list[str] = []
        self.executed: list[Motion] = []
        self.outcomes: list[Outcome] = []
        """How the next motions end; those after them arrive."""
        self.grips = 0.04
        """The width of what stands wherever the fingers close."""
        self.spoil: Callable[[Observation], Observation] = lambda observation: observation
        self.looks = 0
        self.late_s = 0.0
        """How far its clock is past NOW_S."""

    def now_s(self) -> float:
        return NOW_S + self.late_s

    def observe(self) -> Observation:
        self.looks += 1
        self.log.append("look")
        return self.spoil(
            Observation(
                readings={
                    "front": frame(self.now_s()),
                    "joints": Joints(
                        position_rad=self.position_rad,
                        velocity_rad_s=np.zeros(7),
                        gripper_width_m=self.width_m,
                        stamp_s=self.now_s() - 0.001 * self.looks,  # tells one look from another
                    ),
                }
            )
        )

    def execute(self, motion: Motion, observation: Observation, on_tick: Callable[[], None] = lambda: None) -> Outcome:
        on_tick()
        self.executed.append(motion)
        if not isinstance(motion, SkillCall):
            self.log.append("chunk")
            self.position_rad = AWAY
            return self.outcomes.pop(0) if self.outcomes else Outcome(state="done")
        self.log.append(motion.skill)
        if self.outcomes:
            outcome = self.outcomes.pop(0)
            self.position_rad = PANDA.home_rad if outcome.done else AWAY
            self.width_m = min(outcome.narrowest_m, 0.08) if outcome.width_m == 0.0 else self.width_m
            return outcome
        out = motion.skill == "hold_out" or (motion.skill in ("open", "close") and self.position_rad is OUT)
        self.position_rad = OUT if out else PANDA.home_rad
        grasps = motion.grasp_m is not None
        if motion.skill == "home":
            return Outcome(state="done", narrowest_m=self.width_m, width_m=width_to_keep(PANDA, self.width_m))
        holds = motion.skill in ("pick", "hold_out")
        self.width_m = self.grips if holds else 0.08
        told = 0.0 if holds else 0.08
        return Outcome(state="done", narrowest_m=self.grips if grasps else 0.08, width_m=told)

    def stop(self) -> None:
        self.log.append("stop")


class Script:
    """Answers with one decision after another, the last for good; remembers what it was shown and told."""

    needs: tuple[str, ...] = ("front",)

    def __init__(self, *decisions: Decision) -> None:
        self.decisions = decisions
        self.told: list[tuple[str, int | None]] = []
        self.earlier: list[str] = []
        self.asked: list[bool] = []
        self.shown: list[Observation] = []
        self.arm: FakeArm | None = None

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        self.told.append((instruction.text, seed))
        self.earlier.append(instruction.earlier)
        self.asked.append(instruction.asked)
        self.next = 0

    def decide(self, observation: Observation) -> Decision:
        self.shown.append(observation)
        if self.arm is not None:
            self.arm.log.append("decide")
        decision = self.decisions[min(self.next, len(self.decisions) - 1)]
        self.next += 1
        return replace(decision, observation_stamp_s=observation.stamp_s)


class Stepwise(Script):
    """Answers by how many steps were made, as a policy has to that plans step by step."""

    def decide(self, observation: Observation) -> Decision:
        self.next = len(observation.steps)
        return super().decide(observation)


def says(motion: Motion | None, text: str = "so be it", *, done: bool = True) -> Decision:
    return Decision(text=text, motion=motion, observation_stamp_s=0.0, done=done)


ANSWER = says(None, "A red block.")
REFUSAL = Decision(text="I see no bowl", motion=None, observation_stamp_s=0.0, refused=True)
QUESTION = Decision(text="Which block do you mean?", motion=None, observation_stamp_s=0.0, refused=True, asked=True)


def agent_of(arm: FakeArm, *decisions: Decision, judge: Callable[[], bool] | None = None) -> tuple[Agent, Script]:
    policy = Script(*decisions)
    policy.arm = arm
    return Agent(policy, arm, judge=judge), policy


def away_and_holding() -> FakeArm:
    return FakeArm(AWAY, width_m=0.04)
