# SPDX-License-Identifier: Apache-2.0
"""The gymnasium environments: gymnasium's own checks, equal seeds, and that every task can be done."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import sim
from embodied.actions import ACTION_MODES, from_skill_action, to_skill_action
from embodied.errors import EmbodiedError, UnknownNameError, UnsafeCommandError
from embodied.policy import make_policy
from embodied.skills import HOME, to_chunk
from embodied.types import ActionChunk, Instruction, SkillCall
from sim.env import TabletopEnv
from sim.tasks import FAMILIES, TASKS

FAMILY_NAMES = tuple(family.name for family in FAMILIES)
Make = Callable[..., TabletopEnv]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[TabletopEnv] = []

    def build(task: str = "put_in_bowl", **options: Any) -> TabletopEnv:
        options = {"cameras": ("front",), "picture_size_px": 32, **options}
        env = gymnasium.make(sim.environment_id(task), **options).unwrapped
        assert isinstance(env, TabletopEnv)
        made.append(env)
        return env

    yield build
    for env in made:
        env.close()


def oracle_call(env: TabletopEnv) -> SkillCall:
    policy = make_policy("oracle")
    policy.reset(Instruction(text=env.episode.instruction))
    motion = policy.decide(env.observe()).motion
    assert isinstance(motion, SkillCall)
    return motion


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return set(a) == set(b) and all(np.array_equal(a[key], b[key]) for key in a)


def test_every_task_has_an_id() -> None:
    assert {sim.environment_id(task) for task in TASKS} == set(sim.ENV_IDS)
    assert sim.environment_id("put_in_bowl") == "Embodied/PutInBowl-v0"
    assert set(sim.ENV_IDS) <= set(gymnasium.registry)


@pytest.mark.parametrize("task", [*TASKS])
@pytest.mark.parametrize("action_mode", ACTION_MODES)
def test_gymnasium_finds_nothing_wrong(make: Make, task: str, action_mode: str) -> None:
    env = make(task, action_mode=action_mode, cameras=("front", "wrist"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*symmetric and normalized space.*")
        check_env(env, skip_render_check=True)
    assert env.episode.task == task


@pytest.mark.parametrize("task", FAMILY_NAMES)
def test_the_oracle_solves_every_family(make: Make, task: str) -> None:
    env = make(task, action_mode="skill", cameras=())
    for seed in range(5):
        env.reset(seed=seed)
        _, reward, terminated, truncated, info = env.step(to_skill_action(oracle_call(env)))
        assert info["is_success"], (seed, info)
        assert (reward, terminated, truncated, info["score"]) == (1.0, True, False, 1.0)
        # The arm is back where it hides nothing.
        assert np.abs(env.observe().joint_position_rad - env.arm.features.home_rad).max() < 0.02


@pytest.mark.parametrize("task", FAMILY_NAMES)
def test_the_oracle_solves_every_family_in_small_steps(make: Make, task: str) -> None:
    env = make(task, action_mode="ee_delta", cameras=())
    for seed in range(2):
        env.reset(seed=seed)
        info: dict[str, Any] = {}
        for action in to_chunk(oracle_call(env), HOME).ee_delta:
            assert env.action_space.contains(action)
            _, _, terminated, truncated, info = env.step(action)
            assert not truncated
            if terminated:
                break
        assert info["is_success"], (seed, info)


@pytest.mark.parametrize("action_mode", ACTION_MODES)
def test_equal_seeds_and_actions_give_equal_episodes(make: Make, action_mode: str) -> None:
    one, two = make(action_mode=action_mode), make(action_mode=action_mode)
    two.reset(seed=99)
    two.action_space.seed(1)
    two.step(two.action_space.sample())
    for env in (one, two):
        env.action_space.seed(5)
    first, _ = one.reset(seed=3)
    second, _ = two.reset(seed=3)
    assert one.episode.instruction == two.episode.instruction
    assert same(first, second)
    for _ in range(2):
        a, *rest_a = one.step(one.action_space.sample())
        b, *rest_b = two.step(two.action_space.sample())
        assert same(a, b)
        assert rest_a == rest_b


def test_a_skill_repeats_to_the_last_bit(make: Make) -> None:
    env = make("stack", action_mode="skill", cameras=())
    ends = []
    for _ in range(2):
        env.reset(seed=4)
        env.step(to_skill_action(oracle_call(env)))
        ends.append({name: item.position_m.tolist() for name, item in env.world.objects().items()})
    assert ends[0] == ends[1]


def test_other_seeds_give_other_episodes(make: Make) -> None:
    env = make()
    seen = set()
    for _ in range(4):
        _, info = env.reset()
        seen.add(info["episode_seed"])
        _, again = env.reset(seed=info["episode_seed"])
        assert again["episode_seed"] == info["episode_seed"]
    assert len(seen) == 4


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_actions_that_are_not_finite_are_refused(make: Make, bad: float) -> None:
    for mode, action in (
        ("ee_delta", np.full(5, bad)),
        ("joint", np.full(8, bad)),
        ("skill", {"skill": 1, "points_m": np.full((2, 3), bad)}),
    ):
        env = make(action_mode=mode)
        env.reset(seed=0)
        before = env.world.time_s
        with pytest.raises(UnsafeCommandError, match="not finite"):
            env.step(action)
        assert env.world.time_s == before


def test_a_place_out_of_reach_moves_nothing_and_is_told(make: Make) -> None:
    env = make(action_mode="skill")
    before, _ = env.reset(seed=0)
    call = SkillCall(skill="pick", points_m=np.array([[2.0, 0.0, 0.02]]))
    after, _, terminated, truncated, info = env.step(to_skill_action(call))
    assert "outside of the workspace" in info["refused"]
    assert same(before, after)
    assert not terminated
    assert not truncated
    *_, truncated, info = env.step(to_skill_action(call))
    assert truncated
    assert not info["is_success"]


def test_the_hand_stays_in_its_workspace(make: Make) -> None:
    env = make(action_mode="ee_delta", cameras=())
    env.reset(seed=0)
    for _ in range(14):
        obs, *_ = env.step(np.array([0.0, 0.0, -0.05, 0.0, -1.0], dtype=np.float32))
    # The tool centre point stops above the table; the tips reach 5 mm further.
    assert 0.004 < obs["state"][17] < 0.02


def test_joints_go_where_they_are_told(make: Make) -> None:
    env = make(action_mode="joint", cameras=())
    env.reset(seed=0)
    goal = env.arm.features.home_rad + np.array([0.2, -0.1, 0.1, 0.1, 0.0, 0.1, -0.3])
    for _ in range(5):
        obs, *_ = env.step(np.append(goal, 0.03))
    assert np.abs(obs["state"][:7] - goal).max() < 0.01
    assert obs["state"][14] == pytest.approx(0.03, abs=0.005)


def test_swap_asks_for_something_else_in_the_same_scene(make: Make) -> None:
    env = make(action_mode="skill", cameras=())
    _, info = env.reset(seed=1, options={"swap": True})
    assert info["original_success"] is False
    *_, info = env.step(to_skill_action(oracle_call(env)))
    assert info["is_success"]
    assert info["original_success"] is False


def test_reset_options(make: Make) -> None:
    env = make()
    env.reset(seed=0, options={"split": "pair", "task": "stack"})
    assert (env.episode.task, env.episode.split) == ("stack", "pair")
    episode = env.episode
    env.reset(seed=1)
    assert (env.episode.task, env.episode.split) == ("put_in_bowl", "seen")
    env.reset(seed=2, options={"episode": episode})
    assert env.episode is episode
    with pytest.raises(UnknownNameError, match="split, swap, task"):
        env.reset(options={"spilt": "seen"})
    with pytest.raises(UnknownNameError, match="paraphrase"):
        env.reset(options={"split": "sen"})


def test_wrong_names_are_answered_with_the_right_ones(make: Make) -> None:
    for options, expected in (
        ({"action_mode": "ee_dleta"}, "ee_delta"),
        ({"split": "sen"}, "seen"),
        ({"cameras": ("frnt",)}, "front"),
        ({"render_mode": "rgb"}, "rgb_array"),
    ):
        with pytest.raises(UnknownNameError, match=expected):
            TabletopEnv(**options)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="put_in_bowl"):
        TabletopEnv("put_in_bowel")
    with pytest.raises(EmbodiedError, match="reset"):
        _ = make().episode


def test_a_skill_call_survives_its_action() -> None:
    call = SkillCall(skill="push", points_m=np.array([[0.5, 0.0, 0.02], [0.4, 0.1, 0.02]]))
    back = from_skill_action(to_skill_action(call))
    assert back.skill == call.skill
    assert np.allclose(back.points_m, call.points_m)
    with pytest.raises(UnsafeCommandError, match="no skill 7"):
        from_skill_action({"skill": 7, "points_m": np.zeros((2, 3))})


def test_the_picture_to_show_is_the_front_camera(make: Make) -> None:
    env = make(render_mode="rgb_array")
    obs, _ = env.reset(seed=0)
    assert np.array_equal(env.render(), obs["front"])


def test_chunks_are_actions_as_they_are(make: Make) -> None:
    env = make(action_mode="ee_delta", cameras=())
    env.reset(seed=0)
    chunk = ActionChunk(ee_delta=np.array([[0.03, 0.02, -0.04, 0.1, 1.0]], dtype=np.float32), rate_hz=10.0)
    for _ in range(4):
        obs, *_ = env.step(chunk.ee_delta[0])
    assert np.allclose(obs["state"][15:18], HOME.position_m + np.array([0.12, 0.08, -0.16]), atol=0.006)
    assert obs["state"][18] == pytest.approx(0.4, abs=0.03)
