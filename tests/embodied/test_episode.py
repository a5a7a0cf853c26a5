# SPDX-License-Identifier: Apache-2.0
"""One episode: the words that are said, the steps that are counted, and when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from embodied.controls import OTHER_SCENE_OFFSET, WORDS_WITHOUT_CONTENT, Policies
from embodied.episode import EnvironmentArm, EpisodeResult, run_episode
from embodied.errors import EmbodiedError
from embodied.motion.actions import ActionChunk
from embodied.motion.hand import HandPose
from embodied.motion.skills import SkillCall
from embodied.run import ATTEMPTS, MOST_MOTIONS
from embodied.types import Decision, Instruction, Motion, Observation
from tests.embodied.fake_env import FakeEnv

CALL = SkillCall(skill="pick", points_m=np.array([[0.5, 0.0, 0.02]]))
CHUNK = ActionChunk(ee_delta=np.zeros((3, 7), dtype=np.float32))


class FakePolicy:
    """Moves once for each observation, and remembers what it was told and shown."""

    needs: tuple[str, ...] = ("front",)

    def __init__(self, motion: Motion | None = CALL, **answer: Any) -> None:
        self.answer = Decision(**{"text": "pick", "motion": motion, "observation_stamp_s": 0.0} | answer)
        self.told: list[tuple[str, int | None]] = []
        self.shown: list[Observation] = []

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        self.told.append((instruction.text, seed))

    def decide(self, observation: Observation) -> Decision:
        self.shown.append(observation)
        return replace(self.answer, observation_stamp_s=observation.stamp_s)


def run(env: FakeEnv, policy: FakePolicy, split: str = "seen", seed: int = 4, **options: Any) -> EpisodeResult:
    policies = Policies("fake", {})
    policies.plain = policy
    return run_episode(env, policies, task="pick_up", split=split, seed=seed, **options)


def test_a_plain_episode_says_its_words_and_counts_its_steps() -> None:
    env, policy = FakeEnv(), FakePolicy()
    result = run(env, policy, "paraphrase")
    assert env.resets == [(4, {"split": "paraphrase"})]
    assert policy.told == [("solve 4", 4)]
    assert (result.success, result.score, result.steps) == (True, 1.0, 1)
    assert (result.instruction, result.answer) == ("solve 4", "pick")
    assert len(result.decision_ms) == 1
    [action] = env.actions
    assert env.skills.names[action["skill"]] == "pick"
    np.testing.assert_allclose(action["points_m"], [[0.5, 0, 0.02], [0, 0, 0]], rtol=1e-6)


def test_a_failed_motion_is_tried_again_until_the_episode_ends() -> None:
    result = run(FakeEnv(), FakePolicy(), seed=3)
    assert (result.success, result.steps, len(result.decision_ms)) == (False, 2, 2)


def test_a_refusal_ends_the_episode_without_a_motion() -> None:
    env = FakeEnv()
    result = run(env, FakePolicy(None, text="I see no bowl", refused=True))
    assert (result.success, result.steps, result.answer) == (False, 0, "I see no bowl")
    assert result.refused and env.actions == []


def test_a_failure_is_no_refusal_and_what_follows_on_it_may_be_one() -> None:
    assert not run(FakeEnv(), FakePolicy(), seed=3).refused
    policy = FakePolicy()
    env = FakeEnv(steps=9)
    step = env.step

    def refusing(action: Any) -> Any:
        policy.answer = replace(policy.answer, motion=None, refused=True)
        return step(action)

    env.step = refusing  # type: ignore[method-assign]
    result = run(env, policy, seed=3)
    assert result.refused and (result.steps, result.success) == (1, False)


@pytest.mark.parametrize(
    ("told", "wrong"), [({}, None), ({"went_wrong": True}, True), ({"went_wrong": np.False_}, False)]
)
def test_what_went_wrong_is_the_last_word_of_who_can_judge_it(told: dict[str, Any], wrong: bool | None) -> None:
    env = FakeEnv()
    env.extra = [{"went_wrong": True}, told]
    assert run(env, FakePolicy(), seed=3).wrong is wrong


def test_a_policy_that_draws_is_seeded_with_the_episode() -> None:
    policy = FakePolicy()
    for seed in (4, 7):
        run(FakeEnv(), policy, seed=seed)
    assert [seed for _, seed in policy.told] == [4, 7]


def test_until_success_the_simulator_ends_an_episode_and_until_done_the_policy_does() -> None:
    def steps(until: str) -> int:
        return run(FakeEnv(steps=99), FakePolicy(done=False), until=until).steps

    assert steps("success") == 1
    assert steps("done") == ATTEMPTS * MOST_MOTIONS, "a policy that is never done goes on after the success"
    # One attempt of a policy that says that it is done, whether it has succeeded or not.
    for seed in (3, 4):
        assert run(FakeEnv(steps=99), FakePolicy(), seed=seed, until="done").steps == 1


def test_done_may_be_said_too_early_or_too_late_and_nobody_knows_that_until_success() -> None:
    early, right = (run(FakeEnv(steps=99), FakePolicy(), seed=seed, until="done") for seed in (3, 4))
    assert (early.early, right.early, right.late) == (True, False, False)
    assert run(FakeEnv(steps=99), FakePolicy(done=False), until="done").late
    env = FakeEnv(steps=99)
    env.extra = [{"answer": "no"}] * 9
    assert run(env, FakePolicy(), seed=3, until="done").early is None, "a wrong answer is no early end"
    unknown = run(FakeEnv(), FakePolicy())
    assert unknown.early is None and unknown.late is None and unknown.noticed == []


def test_no_language_takes_the_words_away() -> None:
    env, policy = FakeEnv(), FakePolicy()
    result = run(env, policy, "no_language")
    assert env.resets == [(4, {"split": "seen"})]
    assert policy.told == [(WORDS_WITHOUT_CONTENT, 4)]
    assert result.instruction == WORDS_WITHOUT_CONTENT


def test_swapped_counts_the_words_that_were_given() -> None:
    env = FakeEnv()
    result = run(env, FakePolicy(), "swapped")
    assert env.resets == [(4, {"split": "seen", "swap": True})]
    assert (result.success, result.original_success) == (True, False)


def test_other_image_shows_another_scene_and_acts_in_this_one() -> None:
    env, policy = FakeEnv(), FakePolicy()
    result = run(env, policy, "other_image")
    assert [seed for seed, _ in env.resets] == [4 + OTHER_SCENE_OFFSET, 4]
    [seen] = policy.shown
    assert (seen.picture("front").rgb == (4 + OTHER_SCENE_OFFSET) % 251).all()
    assert result.success
    plain = FakePolicy()
    run(FakeEnv(), plain)
    assert (plain.shown[0].picture("front").rgb == 4).all()


def test_a_motion_that_the_mode_cannot_take_is_an_error() -> None:
    with pytest.raises(EmbodiedError, match=r"ActionChunk.*action_mode=skill.*ee_delta"):
        run(FakeEnv(action_mode="skill"), FakePolicy(CHUNK))


@pytest.mark.parametrize("motion", [CALL, CHUNK])
def test_every_motion_can_be_made_in_joint_steps(motion: Motion) -> None:
    env = FakeEnv(action_mode="joint", steps=999)
    arm = arm_of(env)
    assert arm.execute(motion, arm.observe()).done
    plan = motion.plan(arm.model, arm.model.home_rad, 0.08)
    rows = np.array(env.actions)
    assert rows.shape[1] == arm.model.joints + 1
    assert len(rows) == np.ceil(10.0 * plan.time_s[-1] - 1e-9) + 1
    assert np.allclose(rows[-1], [*plan.position_rad[-1], plan.gripper_width_m[-1]], atol=1e-5)
    # Each step is one that the arm can make in its time.
    steps = np.diff(rows[:, :-1], axis=0, prepend=arm.model.home_rad[None])
    assert (np.abs(steps) <= 0.1 * arm.model.max_velocity_rad_s + 1e-4).all()
    closing = plan.gripper_width_m.min()
    assert rows[:, -1].min() == pytest.approx(closing, abs=1e-6)


class Recorder:
    def __init__(self) -> None:
        self.rows: list[tuple[Any, Any, bool]] = []

    def on_step(self, seen: Any, action: Any, info: Mapping[str, Any], over: bool) -> None:
        self.rows.append((seen["step"], action, over))


def test_a_recorder_sees_each_step_as_it_was_before_it() -> None:
    env, recorder = FakeEnv(action_mode="ee_delta", steps=3), Recorder()
    run(env, FakePolicy(CHUNK), seed=3, recorder=recorder.on_step)
    assert [(step, over) for step, _, over in recorder.rows] == [(0, False), (1, False), (2, True)]
    assert all(np.array_equal(action, CHUNK.ee_delta[0]) for _, action, _ in recorder.rows)


def arm_of(env: FakeEnv, **options: Any) -> EnvironmentArm:
    arm = EnvironmentArm(env, **options)
    arm.reset(3, {"split": "seen"})
    return arm


def test_a_skill_in_small_steps_goes_where_the_skill_goes() -> None:
    env = FakeEnv(action_mode="ee_delta", steps=999)
    arm = arm_of(env)
    assert arm.execute(CALL, arm.observe()).done
    way = np.cumsum([action[:3] for action in env.actions], axis=0)
    home = HandPose.from_matrix(arm.model.home_pose).position_m
    assert np.abs(home + way - CALL.points_m[0]).sum(axis=1).min() < 1e-4
    assert np.allclose(way[-1], 0.0, atol=1e-4)


def test_what_the_steps_tell_is_what_the_outcome_tells() -> None:
    env = FakeEnv(action_mode="ee_delta", steps=99)
    arm = arm_of(env)
    env.extra = [{"narrowest_m": width, "told_width_m": width} for width in (0.03, 0.01, 0.02)]
    outcome = arm.execute(CHUNK, arm.observe())
    assert (outcome.done, outcome.narrowest_m, outcome.width_m, outcome.over) == (True, 0.01, 0.02, False)
    env.extra = [{}, {"refused": "out of reach"}, {}]
    outcome = arm.execute(CHUNK, arm.observe())
    assert (outcome.state, outcome.reason) == ("refused", "out of reach")


@pytest.mark.parametrize("ends", [True, False])
def test_a_success_is_the_end_only_where_it_is_told_to_be(ends: bool) -> None:
    env = FakeEnv(action_mode="ee_delta", steps=99)
    arm = EnvironmentArm(env, ends_at_success=ends)
    arm.reset(4, {})
    outcome = arm.execute(CHUNK, arm.observe())
    assert (outcome.over, arm.steps) == ((True, 1) if ends else (False, 3))


def test_who_interrupts_ends_the_steps() -> None:
    env = FakeEnv(action_mode="ee_delta", steps=99)
    arm = arm_of(env)

    def tick() -> None:
        if len(env.actions) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        arm.execute(CHUNK, arm.observe(), tick)
    assert len(env.actions) == 2
