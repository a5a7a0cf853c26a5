# SPDX-License-Identifier: Apache-2.0
"""The loop: what it refuses by itself, and what it hands to the policy."""

from dataclasses import replace

import numpy as np
import pytest

from embodied.agent import MAX_INSTRUCTION_CHARACTERS, Agent
from embodied.errors import ObservationError
from embodied.types import CameraFrame, Decision, Instruction, Observation, SkillCall


class Toucher:
    """Touches one place, and remembers what it was told."""

    cameras = ("front",)

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.decided = 0

    def reset(self, instruction: Instruction) -> None:
        self.heard.append(instruction.text)

    def decide(self, observation: Observation) -> Decision:
        self.decided += 1
        call = SkillCall(skill="touch", points_m=np.array([[0.5, 0.0, 0.02]]))
        return Decision(text="touch", motion=call, observation_stamp_s=observation.stamp_s)


class Recorder:
    def __init__(self) -> None:
        self.seen: list[tuple[str, Decision]] = []

    def on_decision(self, instruction: Instruction, observation: Observation, decision: Decision) -> None:
        self.seen.append((instruction.text, decision))


def frame(stamp_s: float) -> CameraFrame:
    return CameraFrame(
        rgb=np.zeros((4, 4, 3), np.uint8),
        intrinsics_px=np.eye(3),
        world_from_camera=np.eye(4),
        stamp_s=stamp_s,
    )


def observation(stamp_s: float = 10.0, picture_s: float = 10.0) -> Observation:
    return Observation(
        cameras={"front": frame(picture_s)},
        joint_position_rad=np.zeros(7),
        joint_velocity_rad_s=np.zeros(7),
        gripper_width_m=0.08,
        stamp_s=stamp_s,
    )


def make() -> tuple[Agent, Toucher, Recorder]:
    policy, recorder = Toucher(), Recorder()
    return Agent(policy, clock=lambda: 10.2, subscribers=[recorder]), policy, recorder


def test_decides_about_the_observation_and_tells_subscribers() -> None:
    agent, policy, recorder = make()
    agent.instruct("touch it")
    decision = agent.step(observation())
    assert decision is not None
    assert decision.motion is not None
    assert decision.observation_stamp_s == 10.0
    assert decision.timings_ms["decide"] >= 0
    assert policy.heard == ["touch it"]
    assert [(text, seen.text) for text, seen in recorder.seen] == [("touch it", "touch")]


def test_without_a_command_nothing_is_decided() -> None:
    agent, policy, _ = make()
    assert agent.step(observation()) is None
    agent.instruct("touch it")
    agent.stop()
    assert agent.step(observation()) is None
    assert policy.decided == 0


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", "You said nothing"),
        (" \n\t", "You said nothing"),
        ("1234 ?!", "no words"),
        ("x" * (MAX_INSTRUCTION_CHARACTERS + 1), "501 characters"),
    ],
)
def test_words_that_are_no_command_get_an_answer_without_the_policy(text: str, answer: str) -> None:
    agent, policy, recorder = make()
    agent.instruct(text)
    decision = agent.step(observation())
    assert decision is not None
    assert decision.refused
    assert decision.motion is None
    assert answer in decision.text
    assert policy.heard == []
    assert policy.decided == 0
    assert len(recorder.seen) == 1


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (observation(stamp_s=9.0), "joint states is stale: 1.200 s old"),
        (observation(picture_s=9.0), "picture of front is stale"),
        (observation(picture_s=20.0), "picture of front is stale"),
        (observation(picture_s=float("nan")), "picture of front is stale"),
        (
            replace(observation(), cameras={"wrist": frame(10.0)}),
            "no picture of camera front; there are: wrist",
        ),
        (replace(observation(), joint_position_rad=np.full(7, np.nan)), "not finite"),
        (replace(observation(), gripper_width_m=float("inf")), "not finite"),
    ],
)
def test_a_bad_observation_never_reaches_the_policy(spoilt: Observation, words: str) -> None:
    agent, policy, _ = make()
    agent.instruct("touch it")
    with pytest.raises(ObservationError, match=words):
        agent.step(spoilt)
    assert policy.decided == 0
