# SPDX-License-Identifier: Apache-2.0
"""Questions have one right answer; what follows on a command counts from what that led to."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from embodied.arm import arm_model
from embodied.controls import Policies
from embodied.environments import make_environment
from embodied.episode import run_episode, same_words
from embodied.language.nouns import Noun
from embodied.language.verbs import SAY, parse_plan
from embodied.language.vocabulary import NUMBERS
from embodied.types import Decision, Instruction, ObjectState, Observation
from sim.grounding import render_scene
from sim.phrases.talk import Talk
from sim.tasks import CONVERSATION, VQA, Episode, SceneState, make_task
from sim.tasks.asked import Asked, several
from sim.tasks.long import InSteps
from sim.tasks.scenes import HELD_OUT_THINGS
from sim.world import World

SEED = 600_000
ABOUT_THE_PAST = ("ask_holding", "ask_did", "ask_done")


def sampled(name: str, seed: int, split: str = "seen") -> Episode:
    return make_task(name).sample(np.random.default_rng(seed), split)


def state_of(objects: tuple[ObjectState, ...], held: str | None = None) -> SceneState:
    return SceneState(objects={o.name: o for o in objects}, held=held, touched=frozenset())


class Says:
    """Answers every question alike."""

    needs = ()

    def __init__(self, text: str) -> None:
        self.text = text

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        pass

    def decide(self, observation: Observation) -> Decision:
        return Decision(text=self.text, motion=None, observation_stamp_s=observation.stamp_s)


@pytest.mark.parametrize("name", [name for name in VQA if name not in ABOUT_THE_PAST])
def test_the_right_answer_succeeds_and_another_does_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = sampled(name, SEED).plan.said
    env = make_environment(name, action_mode="skill", senses=())
    try:
        for text, wanted in ((f"{right}.".capitalize(), True), ("I do not know.", False)):
            monkeypatch.setattr("embodied.controls.make_policy", lambda policy, given, text=text: Says(text))
            result = run_episode(env, Policies("says", {}), task=name, split="seen", seed=SEED)
            assert (result.success, result.wrong, result.steps) == (wanted, False, 0), result
    finally:
        env.close()


@pytest.mark.parametrize("name", VQA)
def test_an_answer_is_read_from_the_scene_and_several_are_right_in_turn(name: str) -> None:
    answers = Counter(sampled(name, seed).plan.said for seed in range(60))
    assert (None not in answers and len(answers) > 1) or name == "ask_done"
    assert max(answers.values()) < 50 or name == "ask_done", answers
    for seed in range(10):
        episode = sampled(name, seed)
        assert parse_plan(episode.plan.text()) == episode.plan and episode.plan.verb == SAY
        assert not any(Noun(o.colour, o.kind) in HELD_OUT_THINGS for o in episode.objects)


def test_what_is_counted_is_there_so_often() -> None:
    told = Counter[str]()
    for seed in range(80):
        episode = sampled("ask_count_colour", seed)
        colour = next(c for c in make_task("touch").colours if f" {c}" in f" {episode.instruction}")
        assert episode.plan.said == NUMBERS[sum(o.colour == colour for o in episode.objects)]
        told[str(episode.plan.said)] += 1
    assert {"zero", "one", "two"} <= set(told)
    assert {"four", "five"} & {sampled("ask_count", seed).plan.said for seed in range(80)}


def test_the_words_of_an_answer_count_and_not_their_letters() -> None:
    assert same_words("A red block.", "a red block") and not same_words("A red bowl.", "a red block")
    assert several([]) == "nothing"


@pytest.mark.parametrize("name", [name for name in CONVERSATION if name != "take_back"])
def test_the_oracle_follows_with_physics(name: str) -> None:
    """It does what was said first, and then what follows on it."""
    env = make_environment(name, action_mode="skill", senses=())
    try:
        results = [run_episode(env, Policies("oracle", {}), task=name, split="seen", seed=SEED + i) for i in range(2)]
        assert env.unwrapped.episode.earlier
    finally:
        env.close()
    assert all(result.success and not result.wrong and result.steps > 1 for result in results), results


def test_whether_it_worked_is_how_things_stand() -> None:
    task, answers = make_task("ask_done"), set()
    for seed in range(30):
        episode = sampled("ask_done", seed)
        if episode.steps[0].verb in ("put_in_bowl", "push_to"):
            named = {o.name: o for o in episode.objects}
            target, reference = (named[str(noun)] for noun in episode.steps[0].nouns)
            assert task.answer(episode, state_of(episode.objects)) == "no"
            there = replace(target, position_m=np.append(reference.position_m[:2], target.position_m[2]))
            after = tuple(there if o is target else o for o in episode.objects)
            answers.add(task.answer(episode, state_of(after)))
    assert answers == {"yes"}


def test_what_is_held_is_told_by_its_name() -> None:
    task, episode = make_task("ask_holding"), sampled("ask_holding", 1)
    blocks = [o for o in episode.objects if o.kind == "block"]
    assert task.answer(episode, state_of(episode.objects)) == "nothing"
    told = task.answer(episode, state_of(episode.objects, held=blocks[0].name))
    assert told in (f"a {blocks[0].colour} block", f"an {blocks[0].colour} block")


def test_what_follows_is_judged_from_where_the_first_part_led() -> None:
    """ "Five centimetres to the left", and "again": ten."""
    task, episode = make_task("again"), sampled("again", 2)
    assert isinstance(task, InSteps) and episode.steps_before == 1 and episode.earlier
    start = next(o for o in episode.objects if o.name == str(episode.plan.target))
    way = task.goal_m(episode, state_of(episode.objects)) - start.position_m
    for share, done in ((0.0, False), (1.0, False), (2.0, True)):
        moved = replace(start, position_m=start.position_m + share * way * np.array([1.0, 1.0, 0.0]))
        now = state_of(tuple(moved if o is start else o for o in episode.objects))
        assert task.success(episode, now) is done, share


def test_training_shows_what_was_said_before_and_what_came_to_nothing() -> None:
    with World(arm_model("panda")) as world:
        scenes = (render_scene(world, seed, 64, (*VQA, *CONVERSATION)) for seed in range(50))
        said = [each[:2] for scene in scenes for each in scene.commands]
    follows = [(text, plan) for text, plan in said if " / " in text]
    assert len(follows) > 60
    plans = Counter(plan for _, plan in follows)
    assert plans["say yes"] and plans["say no"] and plans["say nothing"]
    assert any(not plan.startswith("say") for plan in plans)


def test_no_question_is_asked_twice_of_a_seed_in_the_same_words() -> None:
    talk = Talk(np.random.default_rng(0))
    task = make_task("ask_there")
    assert isinstance(task, Asked)
    objects = sampled("ask_there", 0).objects
    said = {each.words for _ in range(40) if (each := task.about(objects, talk)) is not None}
    assert len(said) > 25
