# SPDX-License-Identifier: Apache-2.0
"""The families of the suite `verbs`: solved in physics by both arms, and judged by what truly came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from embodied.controls import Policies
from embodied.environments import SUITES, make_environment
from embodied.episode import run_episode
from embodied.geometry import upright
from embodied.language.nouns import Noun
from embodied.language.verbs.move_by import way_m
from embodied.motion.actions import every_skill, to_chunk
from embodied.motion.hand import HandPose
from embodied.motion.skills import SkillCall
from sim.env import TabletopEnv
from sim.tasks import VERBS_SUITE, Episode, SceneState, make_task
from sim.tasks.line_up import in_a_row
from sim.tasks.scenes import HELD_OUT_THINGS, pair_is_held_out

NAMING = tuple(name for name in VERBS_SUITE if make_task(name).sample(np.random.default_rng(0)).plan.nouns)
SEEDS = range(20)
Make = Callable[..., TabletopEnv]


@pytest.fixture
def make() -> Iterator[Make]:
    made = []

    def make(task: str, **options: Any) -> TabletopEnv:
        env = make_environment(task, **{"action_mode": "skill", "senses": (), "skills": every_skill()} | options)
        made.append(env)
        return env.unwrapped  # type: ignore[no-any-return]

    yield make
    for env in made:
        env.close()


def oracle_call(env: TabletopEnv) -> SkillCall:
    call = env.oracle()
    assert isinstance(call, SkillCall)
    return call


def test_they_are_a_suite_of_their_own() -> None:
    assert SUITES.get("verbs") == VERBS_SUITE and len(VERBS_SUITE) == 14


@pytest.mark.parametrize("arm", ["panda", "ur5e"])
@pytest.mark.parametrize("task", VERBS_SUITE)
def test_the_oracle_solves_what_is_unsolved_at_the_start(make: Make, task: str, arm: str) -> None:
    env = make(task, arm=arm)
    for seed in range(2):
        _, info = env.reset(seed=seed)
        assert not info["is_success"] and info["score"] < 0.5
        _, reward, terminated, _, info = env.step(env.skills.encode(oracle_call(env)))
        assert (reward, terminated, info["score"], info["went_wrong"]) == (1.0, True, 1.0, False), (seed, info)


@pytest.mark.parametrize("task", VERBS_SUITE)
def test_the_oracle_solves_it_in_small_steps(make: Make, task: str) -> None:
    env = make(task, action_mode="ee_delta")
    env.reset(seed=0)
    joints = env.observe().joints
    start = HandPose.from_matrix(env.model.chain.forward(joints.position_rad))
    rows = to_chunk(env.model, oracle_call(env), start, joints.gripper_width_m).ee_delta
    assert any(env.step(row)[2] for row in rows), env.episode.plan.text()


@pytest.mark.parametrize("task", ["put_down", "open_hand", "close_hand", "go_home", "hold_out", "swap"])
def test_the_loop_does_it_with_what_is_in_the_hand(make: Make, task: str) -> None:
    """What it holds at the start is not put back before, for these motions need no empty hand."""
    env = make(task)
    for seed in range(2):
        result = run_episode(env, Policies("oracle", {}), task=task, split="seen", seed=seed, until="done")
        assert result.success and result.steps == 1, (seed, result)


@pytest.mark.parametrize("name", VERBS_SUITE)
def test_equal_seeds_give_equal_episodes(name: str) -> None:
    for seed in SEEDS:
        a, b = (make_task(name).sample(np.random.default_rng(seed)) for _ in range(2))
        assert (a.instruction, a.plan, a.before is None) == (b.instruction, b.plan, b.before is None)
        assert all(np.array_equal(x.position_m, y.position_m) for x, y in zip(a.objects, b.objects, strict=True))


@pytest.mark.parametrize("name", VERBS_SUITE)
def test_what_is_held_out_is_in_pair_and_nowhere_else(name: str) -> None:
    task = make_task(name)
    assert set(task.splits) == ({"seen", "paraphrase", "pair"} if name in NAMING else {"seen", "paraphrase"})
    for split in task.splits:
        for seed in SEEDS:
            episode = task.sample(np.random.default_rng(seed), split)
            assert pair_is_held_out(episode.plan) == (split == "pair")
            if split != "pair":
                assert HELD_OUT_THINGS.isdisjoint(Noun(o.colour, o.kind) for o in episode.objects)


@pytest.mark.parametrize("name", NAMING)
def test_a_swapped_command_asks_for_something_else_in_the_same_scene(name: str) -> None:
    task = make_task(name)
    for seed in SEEDS:
        original, swapped = task.sample_swapped(np.random.default_rng(seed))
        assert swapped.plan != original.plan and swapped.objects == original.objects
        if not task.ordered:
            assert set(swapped.plan.nouns) != set(original.plan.nouns)


# --- judged without physics


def began(name: str, text: str = "") -> Episode:
    """The first episode whose plan holds `text`."""
    episodes = (make_task(name).sample(np.random.default_rng(seed)) for seed in range(300))
    return next(episode for episode in episodes if text in episode.plan.text())


def shifted(place_m: np.ndarray, x: float, y: float, z: float = 0.0) -> np.ndarray:
    return np.asarray(place_m + np.array([x, y, z]))


def after(episode: Episode, **moved: Any) -> SceneState:
    """The scene with things in other places: a role and the step (dx, dy), or the place (3,)."""
    objects = {o.name: o for o in episode.objects}
    for role, place in moved.items():
        item = objects[episode.name_of(role)]
        to = shifted(item.position_m, *place) if len(place) == 2 else np.asarray(place)
        objects[item.name] = replace(item, position_m=to)
    return SceneState(objects=objects, held=None, touched=frozenset())


@pytest.mark.parametrize(
    ("text", "step", "success"),
    [
        ("left by 10 cm", (0.0, -0.1), True),
        ("left by 10 cm", (0.0, -0.119), True),
        ("left by 10 cm", (0.0, -0.125), False),
        ("left by 10 cm", (0.0, 0.1), False),
        ("left by 10 cm", (0.02, -0.1), True),
        ("left by 10 cm", (0.03, -0.1), False),
        ("nearer by 1 cm", (0.015, 0.0), True),
        ("nearer by 1 cm", (0.004, 0.0), False),
        ("nearer by 1 cm", (0.01, 0.004), False),
        ("further by 20 cm", (-0.165, 0.0), True),
        ("further by 20 cm", (-0.155, 0.0), False),
    ],
)
def test_a_move_is_as_long_as_was_asked_and_in_that_direction(
    text: str, step: tuple[float, float], success: bool
) -> None:
    episode, task = began("move_by", text), make_task("move_by")
    state = after(episode, target=step)
    assert task.success(episode, state) == success
    assert task.success(episode, replace(state, held=episode.name_of("target"))) is False
    assert task.score(episode, after(episode)) == 0.0
    half = task.score(episode, after(episode, target=0.4 * way_m(episode.plan)))
    assert half == pytest.approx(0.36)


@pytest.mark.parametrize(
    ("text", "turned_deg", "success"),
    [
        ("clockwise by 90 degrees", -90, True),
        ("clockwise by 90 degrees", -81, True),
        ("clockwise by 90 degrees", -79, False),
        ("anticlockwise by 90 degrees", 90, True),
        ("anticlockwise by 90 degrees", 0, False),  # though a block looks the same
        ("clockwise by 180 degrees", 180, True),
        ("anticlockwise by 15 degrees", 0, False),
    ],
)
def test_a_turn_is_told_by_the_body_and_not_by_its_looks(text: str, turned_deg: float, success: bool) -> None:
    episode, task = began("turn_by", f" {text}"), make_task("turn_by")
    state = after(episode)
    target = state.of(episode, "target")
    turned = replace(target, orientation=upright(target.yaw_rad + np.radians(turned_deg)))
    state = replace(state, objects={**state.objects, target.name: turned})
    assert task.success(episode, state) == success
    gone = replace(turned, position_m=shifted(target.position_m, 0.03, 0.0))
    gone_state = replace(state, objects={**state.objects, target.name: gone})
    assert not task.success(episode, gone_state) and task.score(episode, gone_state) == 0.0


def test_two_have_changed_places_when_both_are_there() -> None:
    episode, task = began("swap"), make_task("swap")
    one, other = (o.position_m for o in (after(episode).of(episode, role) for role in ("target", "reference")))
    assert task.score(episode, after(episode)) == 0.0
    half = after(episode, target=other)
    assert not task.success(episode, half) and task.score(episode, half) == pytest.approx(0.45)
    assert task.success(episode, after(episode, target=other, reference=one))


def test_three_are_lined_up_when_they_are_straight_and_neither_near_nor_far() -> None:
    row = np.array([[0.4, 0.0, 0.02], [0.45, 0.075, 0.02], [0.5, 0.15, 0.02]])
    assert in_a_row(row) and in_a_row(row[[1, 0, 2]])
    first, middle, last = row
    assert in_a_row(np.stack([first, shifted(middle, 0.01, 0.0), last]))
    assert not in_a_row(np.stack([first, shifted(middle, 0.03, 0.0), last]))
    assert not in_a_row(middle + 1.5 * (row - middle)) and not in_a_row(middle + 0.6 * (row - middle))
    episode, task = began("line_up"), make_task("line_up")
    goals = task.planned(episode).points_m[1::2]
    assert task.score(episode, after(episode)) == 0.0
    assert task.score(episode, after(episode, reference=goals[0])) == pytest.approx(0.45)
    assert task.success(episode, after(episode, reference=goals[0], other=goals[1]))


def test_what_is_swept_aside_pushes_nothing_else_away() -> None:
    episode, task = began("sweep_aside"), make_task("sweep_aside")
    outwards = np.copysign(1.0, after(episode).of(episode, "target").position_m[1])
    state = after(episode, target=(0.0, 0.09 * outwards))
    assert task.success(episode, state)
    assert not task.success(episode, after(episode, target=(0.0, 0.07 * outwards)))
    other = next(o for o in state.objects.values() if o.name != episode.name_of("target"))
    pushed = replace(other, position_m=shifted(other.position_m, 0.03, 0.0))
    assert not task.success(episode, replace(state, objects={**state.objects, other.name: pushed}))


@pytest.mark.parametrize("name", ["take_out", "unstack"])
def test_what_was_taken_away_stands_on_the_table_and_in_nothing_else(name: str) -> None:
    episode, task = began(name), make_task(name)
    state = after(episode)
    goal = np.append(task.goal_m(episode, state)[:2], 0.02)
    assert task.success(episode, after(episode, target=goal))
    assert not task.success(episode, after(episode, target=shifted(goal, 0.0, 0.0, 0.01))), "as high as in a bowl"
    near = np.append(state.of(episode, "reference").position_m[:2] + np.array([0.045, 0.0]), 0.02)
    assert not task.success(episode, after(episode, target=near))
    here = [o for o in episode.objects if o.kind == episode.plan.target.kind]  # type: ignore[union-attr]
    assert sum(o.position_m[2] > 0.025 for o in here) == 2, "another one could be meant"


def test_between_is_near_the_middle() -> None:
    episode, task = began("place_between"), make_task("place_between")
    goal = task.goal_m(episode, after(episode))
    for off_m, success in ((0.0, True), (0.029, True), (0.031, False)):
        assert task.success(episode, after(episode, target=shifted(goal, off_m, 0.0))) == success
