# SPDX-License-Identifier: Apache-2.0
"""The environments to learn in by reward: no words, numbers in known bounds, and a reward that says where to go."""

import copy
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import SAC
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

from embodied.environments import learning_id
from embodied.errors import EmbodiedError, UnknownNameError, UnsafeCommandError
from sim.learning import LearningEnv
from sim.tasks import LEARNING_STEPS, TABLETOP, TASKS


def test_every_task_has_an_id_to_learn_in() -> None:
    assert {learning_id(task) for task in TASKS} <= set(gymnasium.registry)
    assert learning_id("put_in_bowl") == "Embodied/PutInBowlRL-v0"


@pytest.mark.parametrize("task", TABLETOP)
def test_gymnasium_and_stable_baselines_find_nothing_wrong(task: str) -> None:
    with gymnasium.make(learning_id(task)) as env, warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=True)
        check_env_of_sb3(env)
        assert env.spec is not None and env.spec.max_episode_steps == LEARNING_STEPS


def test_stable_baselines_starts(tmp_path: Path) -> None:
    model = SAC(
        "MultiInputPolicy", "sim:Embodied/TouchRL-v0", learning_starts=20, batch_size=8, buffer_size=100, seed=0
    )
    model.learn(30)
    assert model.num_timesteps == 30


def test_the_places_are_those_of_the_thing_and_of_its_goal() -> None:
    with LearningEnv("pick_up") as env:
        seen, _ = env.reset(seed=0)
        target = env.scene_state().of(env.episode, "target").position_m
        assert np.allclose(seen["target_m"], target, atol=1e-6)
        assert np.allclose(seen["goal_m"] - seen["target_m"], [0.0, 0.0, 0.08], atol=2e-3)
        assert all(isinstance(space, spaces.Box) for space in env.observation_space.values())
        assert set(seen) == {"state", "target_m", "goal_m"}, "nothing is drawn"


def test_cameras_are_there_for_those_who_ask() -> None:
    with LearningEnv("touch", senses=("front",), picture_size_px=16) as env:
        seen, _ = env.reset(seed=0)
        assert seen["front"].shape == (16, 16, 3) and env.observation_space.contains(seen)


def test_an_action_goes_from_the_lowest_to_the_highest() -> None:
    with LearningEnv("touch") as env:
        start, _ = env.reset(seed=0)
        up = np.array([0, 0, 0.5, 0, 0, 0, -1.0], dtype=np.float32)
        for _ in range(4):
            seen, *_ = env.step(up)
        assert seen["state"][17] - start["state"][17] == pytest.approx(4 * 0.025, abs=0.01)
        assert seen["state"][14] < 0.01, "the fingers are closed"
        for bad in (np.full(7, np.nan), np.zeros(1)):
            with pytest.raises(UnsafeCommandError):
                env.step(bad)


@pytest.mark.parametrize("task", TABLETOP)
def test_the_nearer_the_better_and_never_better_than_a_success(task: str) -> None:
    family = TASKS.get(task)
    with LearningEnv(task) as env:
        for seed in range(3):
            env.reset(seed=seed)
            state = env.scene_state()
            target = state.of(env.episode, "target").position_m
            rewards = [
                family.dense_reward(env.episode, state, target + np.array([0.0, 0.0, d])) for d in (0.0, 0.02, 0.2, 9.0)
            ]
            assert rewards == sorted(rewards, reverse=True) and len(set(rewards)) == 4
            assert rewards[-1] >= -1.0 and rewards[0] <= 0.0


def test_what_cannot_be_learnt_here_is_said() -> None:
    with LearningEnv("refuse") as env, pytest.raises(EmbodiedError):
        env.reset(seed=0)
    with pytest.raises(UnknownNameError, match="ee_delta, joint"):
        LearningEnv("touch", action_mode="skill")


def test_a_copy_of_a_learner_s_environment_goes_on_alike() -> None:
    with gymnasium.make(learning_id("touch")) as env:
        env.reset(seed=0)
        env.action_space.seed(0)
        for _ in range(3):
            env.step(env.action_space.sample())
        with copy.deepcopy(env) as twin:
            action = env.action_space.sample()
            ours: tuple[Any, ...] = env.step(action)
            theirs: tuple[Any, ...] = twin.step(action)
            assert all(np.array_equal(ours[0][key], theirs[0][key]) for key in ours[0]) and ours[1:] == theirs[1:]
