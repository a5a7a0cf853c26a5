# SPDX-License-Identifier: Apache-2.0
"""Long tasks: the oracle goes the whole way, step by step; half of it is not the whole, and another's goal is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from embodied.arm import arm_model
from embodied.controls import Policies
from embodied.environments import make_environment
from embodied.episode import run_episode
from embodied.language.dialogue import joined
from embodied.language.nouns import Noun
from embodied.language.verbs import DONE, Plan, parse_plan
from embodied.types import ObjectState, Step
from sim.env import TabletopEnv
from sim.grounding import render_scene
from sim.phrases.talk import Talk
from sim.tasks import LONGHORIZON, Episode, SceneState, make_task
from sim.tasks.long import Long, foreseen, holds
from sim.tasks.scenes import HELD_OUT_THINGS, pair_is_held_out
from sim.world import World

LONG = tuple(name for name in LONGHORIZON if isinstance(make_task(name), Long))
SEED = 600_000


@pytest.fixture(scope="module")
def env() -> Iterator[TabletopEnv]:
    env = make_environment("two_acts", action_mode="skill", senses=())
    yield env.unwrapped  # type: ignore[misc]
    env.close()


def sampled(name: str, seed: int, split: str = "seen") -> Episode:
    return make_task(name).sample(np.random.default_rng(seed), split)


def state_of(objects: tuple[ObjectState, ...], touched: frozenset[str] = frozenset()) -> SceneState:
    return SceneState(objects={o.name: o for o in objects}, held=None, touched=touched)


@pytest.mark.parametrize("name", LONGHORIZON)
def test_the_oracle_does_it_with_physics(name: str) -> None:
    env = make_environment(name, action_mode="skill", senses=())
    try:
        results = [run_episode(env, Policies("oracle", {}), task=name, split="seen", seed=SEED + i) for i in range(2)]
    finally:
        env.close()
    assert all(result.success and not result.wrong for result in results), results


@pytest.mark.parametrize("name", LONG)
def test_it_is_done_when_the_last_step_is_and_not_before(name: str) -> None:
    """As foreseen, without physics: each step leaves one less to do."""
    task = make_task(name)
    assert isinstance(task, Long)
    for seed in range(6):
        episode = sampled(name, seed)
        if episode.steps[-1].verb == "pick_up":
            continue  # what is foreseen has nothing in the hand
        now, touched = episode.objects, frozenset[str]()
        for number, plan in enumerate(episode.steps):
            state = state_of(now, touched)
            assert not task.success(episode, state)
            assert task.left(episode, state)[0] == plan, (episode.instruction, number)
            now = foreseen(now, plan)
            touched |= {str(plan.target)} if plan.verb == "touch" else set()
        state = state_of(now, touched)
        assert task.success(episode, state) and task.score(episode, state) == 1.0
        assert task.steps_left(episode, state) == 0


@pytest.mark.parametrize("name", LONG)
def test_something_that_nobody_named_may_not_be_moved(name: str) -> None:
    task = make_task(name)
    for seed in range(20):
        episode = sampled(name, seed)
        named = {str(noun) for plan in episode.steps for noun in plan.nouns}
        if other := next((o for o in episode.objects if o.name not in named and o.kind != "block"), None):
            moved = replace(other, position_m=other.position_m + np.array([0.1, 0.0, 0.0]))
            state = state_of(tuple(moved if o is other else o for o in episode.objects))
            assert task.went_wrong(episode, state) and not task.success(episode, state)
            return
    assert name.startswith("sort_"), "whose scenes hold nothing else"


@pytest.mark.parametrize("name", LONGHORIZON)
def test_training_names_nothing_that_is_held_out_and_a_seed_says_the_same_again(name: str) -> None:
    for seed in range(15):
        episode, again = sampled(name, seed), sampled(name, seed)
        assert episode.instruction == again.instruction and episode.steps == again.steps
        for plan in (episode.plan, *episode.steps):
            assert HELD_OUT_THINGS.isdisjoint(plan.nouns) and not pair_is_held_out(plan)


def test_what_is_in_the_hand_hides_no_other_step() -> None:
    """ "Put it in the bowl and lift the other one": the first stays done while the second is held."""
    first, last = parse_plan("put red block in green bowl"), parse_plan("lift blue block")
    objects = tuple(
        ObjectState(name=f"{colour} {kind}", kind=kind, colour=colour, position_m=np.array([0.5, y, z]))
        for colour, kind, y, z in (
            ("red", "block", 0.1, 0.02),
            ("green", "bowl", 0.1, 0.0),
            ("blue", "block", -0.1, 0.3),
        )
    )
    episode = Episode(task="two_acts", split="seen", objects=objects, instruction="", plan=first, steps=(first, last))
    state = replace(state_of(objects), held="blue block")
    assert holds(first, episode, state) and holds(last, episode, state)
    assert make_task("two_acts").success(episode, state)


def test_any_two_of_three_will_do_and_three_are_too_many() -> None:
    task = make_task("some_in")
    episode = sampled("some_in", 3)
    blocks = [Noun(o.colour, o.kind) for o in episode.objects if o.kind == "block"]
    bowl = episode.plan.reference
    states, now = [], episode.objects
    for block in reversed(blocks):
        now = foreseen(now, Plan(verb="put_in_bowl", target=block, reference=bowl))
        states.append(state_of(now))
    assert [task.success(episode, state) for state in states[:3]] == [False, True, False]
    assert task.went_wrong(episode, states[2])


def test_a_family_says_what_fits_the_steps_that_were_made() -> None:
    talk, task = Talk(np.random.default_rng(0)), make_task("two_acts")
    assert isinstance(task, Long)
    episode = sampled("one_act", 1)
    said = [task.under_way(episode.objects, episode.steps, talk) for _ in range(60)]
    steps = [each.steps for each in said if each is not None]
    assert steps and all(each[0] == episode.plan and len(each) == 2 for each in steps)


def test_training_shows_the_middle_and_the_end_of_long_tasks() -> None:
    world = World(arm_model("panda"))
    try:
        commands = [each[:2] for seed in range(12) for each in render_scene(world, seed, 64, LONGHORIZON).commands]
    finally:
        world.close()
    told = [(text, plan) for text, plan in commands if " > " in text and " / " not in text]
    done = [text for text, plan in commands if plan == DONE]
    assert len(told) > 60 and 10 < len(done) < len(told)
    assert any(" failed" in text for text, _ in told)
    again = 0
    for text, plan in told:
        _, *steps = text.split(" > ")
        for step in steps:
            parse_plan(step.removesuffix(" failed"))
        if steps[-1].endswith(" failed"):
            assert plan == steps[-1].removesuffix(" failed"), (text, plan)
        else:
            again += plan == steps[-1]
    assert 0 < again < len(told) / 2, "a few steps came to nothing, and are made again"


def test_what_was_done_stands_behind_what_was_said() -> None:
    steps = [Step(text="lift red block", failed=True), Step(text="lift red block")]
    assert joined("touch the block", "the red one", steps) == (
        "touch the block / the red one > lift red block failed > lift red block"
    )
    assert joined("", "touch it") == "touch it"


def test_a_step_came_about_when_physics_says_so(env: TabletopEnv) -> None:
    env.reset(seed=SEED)
    first, second = (plan.text() for plan in env.episode.steps)
    assert env.came_about(first) is False and env.came_about(second) is False
    env.step(env.skills.encode(env.oracle()))
    assert env.came_about(first) is True and env.came_about(second) is False
    for unknown in ("done", "put the kettle on", "lift purple bowl"):
        assert env.came_about(unknown) is None
