# SPDX-License-Identifier: Apache-2.0
"""The gymnasium environments: gymnasium's own checks, equal seeds, and that every task can be done."""

import copy
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodied.arm import ARMS, arm_model
from embodied.environments import MAX_STEPS, environment_id, make_environment, task_names
from embodied.errors import EmbodiedError, UnknownNameError, UnsafeCommandError
from embodied.motion.actions import ACTION_MODES, EE_DELTA_NAMES, ActionChunk, to_chunk
from embodied.motion.hand import HandPose, turn_between
from embodied.motion.skills import SkillCall
from embodied.policy import make_policy
from embodied.types import Instruction
from sim.env import TabletopEnv
from sim.tasks import MOST, TABLETOP, TASKS

PANDA = arm_model("panda")
PANDA_FILE = PANDA.urdf.with_suffix(".yaml")
HOME = HandPose.from_matrix(PANDA.home_pose)
Make = Callable[..., TabletopEnv]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[TabletopEnv] = []

    def build(task: str = "put_in_bowl", **options: Any) -> TabletopEnv:
        options = {"senses": ("front",), "picture_size_px": 32, **options}
        env = gymnasium.make(environment_id(task), **options).unwrapped
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
    assert set(TASKS) == set(task_names())
    assert {environment_id(task) for task in TASKS} <= set(gymnasium.registry)


@pytest.mark.parametrize(
    ("task", "action_mode"),
    [(task, mode) for task in TASKS for mode in (ACTION_MODES if task in TABLETOP else ("skill",))],
)
def test_gymnasium_finds_nothing_wrong(make: Make, task: str, action_mode: str) -> None:
    env = make(task, action_mode=action_mode, senses=("front", "wrist"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*symmetric and normalized space.*")
        check_env(env, skip_render_check=True)
    assert env.episode.task == task


def test_an_environment_has_the_senses_of_its_arm_unless_it_is_told(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "one_eyed.yaml"
    text = PANDA_FILE.read_text().replace("cameras: [front, wrist]", "cameras: [front]")
    file.write_text(text.replace("urdf: ", f"urdf: {PANDA_FILE.parent}/"))
    for arm, cameras in (("panda", {"front", "wrist"}), (str(file), {"front"})):
        env = make("touch", arm=arm, senses=None)
        seen, _ = env.reset(seed=0)
        assert set(seen) == set(env.observation_space) == {*cameras, "state", "instruction"}


@pytest.mark.parametrize("task", TABLETOP)
def test_the_oracle_solves_every_family(make: Make, task: str) -> None:
    env = make(task, action_mode="skill", senses=())
    for seed in range(5):
        env.reset(seed=seed)
        _, reward, terminated, truncated, info = env.step(env.skills.encode(oracle_call(env)))
        assert info["is_success"], (seed, info)
        assert (reward, terminated, truncated, info["score"]) == (1.0, True, False, 1.0)
        assert info["went_wrong"] is False
        # The arm is back where it hides nothing.
        assert np.abs(env.observe().joints.position_rad - env.model.home_rad).max() < 0.02


@pytest.mark.parametrize("task", TABLETOP)
def test_the_oracle_solves_every_family_in_small_steps(make: Make, task: str) -> None:
    env = make(task, action_mode="ee_delta", senses=())
    for seed in range(2):
        env.reset(seed=seed)
        info: dict[str, Any] = {}
        for action in to_chunk(env.model, oracle_call(env), HOME, 0.08).ee_delta:
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
    env = make("stack", action_mode="skill", senses=())
    ends = []
    for _ in range(2):
        env.reset(seed=4)
        env.step(env.skills.encode(oracle_call(env)))
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
        ("ee_delta", np.full(7, bad)),
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
    after, _, terminated, truncated, info = env.step(env.skills.encode(call))
    assert "outside of the reach" in info["refused"]
    assert same(before, after)
    assert not terminated
    assert not truncated and not info["is_success"]


@pytest.mark.parametrize(
    ("build", "steps"),
    [
        (lambda: gymnasium.make(environment_id("touch"), senses=()), MAX_STEPS["ee_delta"]),
        (lambda: make_environment("touch", senses=()), MAX_STEPS["ee_delta"]),
        (lambda: make_environment("touch", senses=(), action_mode="joint"), MAX_STEPS["joint"]),
        (lambda: make_environment("touch", senses=(), action_mode="skill"), MAX_STEPS["skill"]),
        (lambda: make_environment("touch", senses=(), action_mode="skill", max_episode_steps=3), 3),
    ],
)
def test_an_episode_is_cut_off_by_the_limit_of_its_spec_and_by_nothing_else(build: Any, steps: int) -> None:
    with build() as env:
        assert env.spec.max_episode_steps == steps
        if env.unwrapped.action_mode != "skill":
            return  # hundreds of steps show no more than a few
        env.reset(seed=0)
        call = SkillCall(skill="pick", points_m=np.array([[2.0, 0.0, 0.02]]))
        cut = [env.step(env.unwrapped.skills.encode(call))[3] for _ in range(steps)]
        assert cut == [False] * (steps - 1) + [True]


def test_a_dense_reward_is_the_task_s_and_a_success_is_worth_one(make: Make) -> None:
    env = make("pick_up", action_mode="ee_delta", senses=(), reward_type="dense")
    env.reset(seed=0)
    rewards = []
    for action in to_chunk(env.model, oracle_call(env), HOME, 0.08).ee_delta:
        _, reward, terminated, _, info = env.step(action)
        hand = env.model.chain.forward(env.world.joint_state()[0])[:3, 3]
        assert reward == env.task.dense_reward(env.episode, env.scene_state(), hand)
        rewards.append(reward)
        if terminated:
            break
    assert info["is_success"] and rewards[-1] == MOST
    assert all(-MOST <= reward < 0.0 for reward in rewards[:-1])
    assert rewards[-2] > rewards[0]


def pickled(env: Any) -> Any:
    return ForkingPickler.loads(ForkingPickler.dumps(env))  # as it is sent to another process


@pytest.mark.parametrize("how", [copy.deepcopy, pickled])
@pytest.mark.parametrize("action_mode", ACTION_MODES)
def test_a_copy_lives_in_a_world_of_its_own(how: Any, action_mode: str) -> None:
    with gymnasium.make(environment_id("stack"), senses=("front",), picture_size_px=16, action_mode=action_mode) as env:
        env.reset(seed=3, options={"swap": True})
        env.action_space.seed(0)
        for _ in range(2):
            env.step(env.action_space.sample())
        before = env.unwrapped.observe()
        with how(env) as twin:
            assert twin.unwrapped is not env.unwrapped and twin.spec.id == env.spec.id
            assert twin.unwrapped.episode.instruction == env.unwrapped.episode.instruction
            action = env.action_space.sample()
            for _ in range(3):
                twin_seen, *twin_rest = twin.step(action)
            after = env.unwrapped.observe()
            assert np.array_equal(before.joints.position_rad, after.joints.position_rad), "the original stands still"
            assert before.stamp_s == after.stamp_s < twin.unwrapped.time_s
            for _ in range(3):
                seen, *rest = env.step(action)
            assert same(seen, twin_seen) and rest == twin_rest, "what is done again comes out again"
            assert env.unwrapped.np_random.random() == twin.unwrapped.np_random.random()
        env.step(action)  # its physics outlives the copy's


def test_an_environment_that_was_never_reset_can_be_copied() -> None:
    with TabletopEnv("touch", senses=(), action_mode="joint") as env, copy.deepcopy(env) as twin:
        assert (twin.task.name, twin.action_mode) == ("touch", "joint")
        seen, _ = env.reset(seed=1)
        assert same(seen, twin.reset(seed=1)[0])


def test_vector_environments_in_processes_tell_the_right_words() -> None:
    def instructions(mode: str) -> list[tuple[str, ...]]:
        settings = {"senses": (), "action_mode": "joint", "max_episode_steps": 2}
        told = []
        vec = gymnasium.make_vec(environment_id("touch"), num_envs=3, vectorization_mode=mode, **settings)
        try:
            vec.action_space.seed(0)
            told.append(vec.reset(seed=[1, 2, 3])[0]["instruction"])
            # Two steps end the episode, and the third begins another.
            told += [vec.step(vec.action_space.sample())[0]["instruction"] for _ in range(3)]
        finally:
            vec.close()
        return told

    one, other = instructions("sync"), instructions("async")
    assert one == other
    assert len(set(one[0])) == 3 and one[0] == one[2] and one[3] != one[0]
    assert all(isinstance(words, tuple) for words in other), "what was told does not change later"


def test_the_hand_stays_in_its_workspace(make: Make) -> None:
    env = make(action_mode="ee_delta", senses=())
    env.reset(seed=0)
    for _ in range(14):
        obs, *_ = env.step(np.array([0.0, 0.0, -0.05, 0.0, 0.0, 0.0, -1.0], dtype=np.float32))
    # The tool centre point stops above the table; the tips reach 5 mm further.
    assert 0.004 < obs["state"][17] < 0.02


def test_joints_go_where_they_are_told(make: Make) -> None:
    env = make(action_mode="joint", senses=())
    env.reset(seed=0)
    goal = env.model.home_rad + np.array([0.2, -0.1, 0.1, 0.1, 0.0, 0.1, -0.3])
    for _ in range(5):
        obs, *_ = env.step(np.append(goal, 0.03))
    assert np.abs(obs["state"][:7] - goal).max() < 0.01
    assert obs["state"][14] == pytest.approx(0.03, abs=0.005)


def test_swap_asks_for_something_else_in_the_same_scene(make: Make) -> None:
    env = make(action_mode="skill", senses=())
    _, info = env.reset(seed=1, options={"swap": True})
    assert info["original_success"] is False
    *_, info = env.step(env.skills.encode(oracle_call(env)))
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


@pytest.mark.parametrize("task", ["put_in_bowl", "push_to"])
def test_an_appearance_changes_what_is_seen_and_nothing_of_what_happens(make: Make, task: str) -> None:
    usual = make(task, action_mode="skill")
    other = make(task, action_mode="skill", appearance="random,camera:20deg,clutter:9")
    for seed in range(2):
        pictures, ends = [], []
        for env in (usual, other):
            seen, _ = env.reset(seed=seed)
            pictures.append(seen["front"])
            assert seen["instruction"] == usual.episode.instruction
            _, reward, *_ = env.step(env.skills.encode(oracle_call(env)))
            ends.append((reward, [item.position_m.tolist() for item in env.world.objects().values()]))
        assert not np.array_equal(*pictures)
        assert ends[0] == ends[1] and ends[0][0] == 1.0


def test_an_appearance_is_drawn_from_the_seed_asked_for_at_reset_and_copied(make: Make) -> None:
    env = make("touch", appearance="random")
    first, _ = env.reset(seed=1)
    assert same(copy.deepcopy(env)._observation(), first)
    usual, _ = env.reset(seed=1, options={"appearance": ""})
    assert np.array_equal(usual["front"], make("touch").reset(seed=1)[0]["front"])
    assert not np.array_equal(usual["front"], first["front"])
    again, _ = env.reset(seed=1)
    assert same(again, first)
    with pytest.raises(UnknownNameError, match="Did you mean 'wood'"):
        env.reset(seed=1, options={"appearance": "table:wodo"})
    with pytest.raises(UnknownNameError, match="Did you mean 'wood'"):
        make("touch", appearance="table:wodo")


def test_wrong_names_are_answered_with_the_right_ones(make: Make) -> None:
    for options, expected in (
        ({"action_mode": "ee_dleta"}, "ee_delta"),
        ({"split": "sen"}, "seen"),
        ({"reward_type": "dens"}, "dense"),
        ({"senses": ("frnt",)}, "front"),
        ({"render_mode": "rgb"}, "rgb_array"),
        ({"arm": "pandas"}, "panda"),
    ):
        with pytest.raises(UnknownNameError, match=expected):
            TabletopEnv(**options)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="put_in_bowl"):
        TabletopEnv("put_in_bowel")
    with pytest.raises(EmbodiedError, match="reset"):
        _ = make().episode


def test_the_picture_to_show_is_the_front_camera(make: Make) -> None:
    env = make(render_mode="rgb_array")
    obs, _ = env.reset(seed=0)
    assert np.array_equal(env.render(), obs["front"])


def test_the_depth_to_show_is_the_front_camera_s(make: Make) -> None:
    env = make(render_mode="depth_array", senses=("front_depth",))
    obs, _ = env.reset(seed=0)
    shown = env.render()
    assert shown.shape == (32, 32) and shown.dtype == np.float32
    assert np.array_equal(shown, obs["front_depth"])
    assert 0.2 < shown[np.isfinite(shown)].min() < shown[16, 16] < 3.0


def test_an_observation_holds_the_senses_that_were_asked_for(make: Make) -> None:
    env = make("pick_up", action_mode="skill", senses=("wrist", "wrist_depth", "touch", "force"))
    obs, _ = env.reset(seed=0)
    assert set(obs) == set(env.observation_space) == {*env.arm.senses, "state", "instruction"}
    assert not obs["touch"].any()
    obs, *_ = env.step(env.skills.encode(oracle_call(env)))
    assert env.observation_space.contains(obs)
    assert (obs["touch"] > 0.5).all(), "both fingers press on what they hold"
    assert env.observation_space["touch"].shape == (2,) and env.observation_space["force"].shape == (3,)


def test_chunks_are_actions_as_they_are(make: Make) -> None:
    env = make(action_mode="ee_delta", senses=())
    env.reset(seed=0)
    row = [0.03, 0.02, -0.04, 0.0, 0.0, 0.1, 1.0]
    chunk = ActionChunk(ee_delta=np.array([row] * 4, dtype=np.float32))
    for action in chunk.ee_delta:
        assert env.action_space.contains(action)
        obs, *_ = env.step(action)
    assert np.allclose(obs["state"][15:18], HOME.position_m + np.array([0.12, 0.08, -0.16]), atol=0.006)
    assert obs["state"][18] == pytest.approx(HOME.yaw_rad + 0.4, abs=0.03)


@pytest.mark.parametrize("axis", range(3))
def test_a_turn_is_about_an_axis_of_the_world(make: Make, axis: int) -> None:
    env = make(action_mode="ee_delta", senses=())
    env.reset(seed=0)
    action = np.zeros(7, dtype=np.float32)
    action[3 + axis] = 0.1
    for _ in range(3):
        env.step(action)
    env.step(np.zeros(7, dtype=np.float32))
    wanted = HOME.turned(np.eye(3)[axis], 0.3)
    hand = HandPose.from_matrix(env.model.chain.forward(env.observe().joints.position_rad))
    assert turn_between(hand.orientation, wanted.orientation) < 0.02
    assert np.allclose(hand.position_m, wanted.position_m, atol=0.003)


def test_steps_beyond_the_largest_are_cut_off(make: Make) -> None:
    env = make(action_mode="ee_delta", senses=())
    ends = []
    for size in (1.0, 9.0):
        env.reset(seed=0)
        obs, *_ = env.step(np.array([0.0, 0.05 * size, -0.05, 0.0, 0.0, 0.3 * size, size]))
        ends.append(obs["state"])
    assert np.array_equal(ends[0], ends[1])


@pytest.mark.parametrize("arm", ARMS.names())
@pytest.mark.parametrize("action_mode", ACTION_MODES)
def test_every_arm_has_spaces_of_its_own(make: Make, arm: str, action_mode: str) -> None:
    env = make("touch", arm=arm, action_mode=action_mode)
    model = arm_model(arm)
    obs, info = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    assert obs["state"].shape == (2 * model.joints + 1 + 4,)
    assert np.allclose(obs["state"][: model.joints], model.home_rad, atol=0.01)
    assert info["told_width_m"] == model.gripper_width_m
    sizes = {"ee_delta": len(EE_DELTA_NAMES), "joint": model.joints + 1}
    if action_mode in sizes:
        assert env.action_space.shape == (sizes[action_mode],)
    env.action_space.seed(0)
    obs, *_ = env.step(env.action_space.sample())
    assert env.observation_space.contains(obs)


@pytest.mark.parametrize("task", TABLETOP)
def test_the_oracle_solves_every_family_with_the_other_arm(make: Make, task: str) -> None:
    env = make(task, arm="ur5e", action_mode="skill", senses=())
    for seed in range(2):
        env.reset(seed=seed)
        *_, info = env.step(env.skills.encode(oracle_call(env)))
        assert info["is_success"], (seed, info)


def test_an_environment_keeps_the_skills_that_it_was_made_with(make: Make) -> None:
    env = make(action_mode="skill", skills=("touch", "home"), senses=())
    assert env.action_space["skill"].n == 2
    assert env.action_space["points_m"].shape == (1, 3)
    env.reset(seed=0)
    with pytest.raises(UnsafeCommandError, match="made with: touch, home"):
        env.skills.encode(oracle_call(env))
    action = env.skills.encode(SkillCall(skill="home", points_m=np.zeros((0, 3))))
    assert env.action_space.contains(action)
    env.step(action)
    with pytest.raises(UnknownNameError, match="Did you mean 'touch'"):
        make(action_mode="skill", skills=("tuch",))


def test_what_the_fingers_felt_is_told(make: Make) -> None:
    env = make("pick_up", action_mode="skill", senses=())
    _, info = env.reset(seed=0)
    assert info["narrowest_m"] == pytest.approx(0.08, abs=2e-3)
    *_, info = env.step(env.skills.encode(oracle_call(env)))
    # A block may stand at an angle between the fingers.
    assert 0.038 < info["narrowest_m"] < 0.058 and info["told_width_m"] == 0.0
    env.reset(seed=0)
    empty = SkillCall(skill="pick", points_m=np.array([[0.3, 0.35, 0.02]]))
    *_, info = env.step(env.skills.encode(empty))
    assert info["narrowest_m"] < 0.004 and not info["is_success"]


@pytest.mark.parametrize("size_px", [0, -4, 64.5, 5000, "64"])
@pytest.mark.parametrize("made", ["Embodied/Touch-v0", "Embodied/TouchRL-v0"])
def test_pictures_of_no_size_are_refused(made: str, size_px: Any) -> None:
    with pytest.raises(EmbodiedError, match=rf"picture_size_px={size_px}: .* 1 to 4096"):
        gymnasium.make(made, picture_size_px=size_px)


def test_no_skills_are_too_few() -> None:
    with pytest.raises(EmbodiedError, match=r"skills=\(\) leaves nothing to do"):
        TabletopEnv("touch", action_mode="skill", skills=())


def test_calls_out_of_order_are_told(make: Make) -> None:
    env = make("touch", senses=(), render_mode="rgb_array")
    action = env.action_space.sample()
    with pytest.raises(EmbodiedError, match=r"call reset\(\) before step\(\)"):
        env.step(action)
    env.reset(seed=0)
    env.close()
    for call in (env.reset, env.render, lambda: env.step(action)):
        with pytest.raises(EmbodiedError, match="the environment is closed: make another"):
            call()
