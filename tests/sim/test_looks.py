# SPDX-License-Identifier: Apache-2.0
"""What a sentence makes one look for leads to what is right: nobody who reads the result has to look again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from embodied.arm import DEFAULT_ARM, arm_model
from embodied.language.verbs import Plan, parse_plan
from sim.grounding import render_scene
from sim.phrases.talk import Talk
from sim.tasks import TABLETOP, make_task
from sim.tasks.spoken import Said, Spoken
from sim.world import World

SEED, SCENES = 600_000, 50


def thoughts(name: str) -> Iterator[tuple[Said, str, Plan]]:
    """What a family says in so many scenes, what the last look found, and what is right then."""
    task = make_task(name)
    assert isinstance(task, Spoken)
    for seed in range(SEED, SEED + SCENES):
        rng = np.random.default_rng(seed)
        objects = task.sample(rng).objects
        said = task.about(objects, Talk(rng))
        if said is None or not said.looks:
            continue
        thought = said.thought(objects)
        assert [text.startswith(said.words) for text, _ in thought] == [True] * len(thought)
        assert [plan.looks for _, plan in thought] == [True] * len(said.looks) + [False]
        assert all(parse_plan(plan.text()) == plan for _, plan in thought)
        yield said, thought[-1][0].rpartition(": ")[2], thought[-1][1]


ANSWERS: dict[str, Callable[[str], str]] = {
    "ask_there": lambda found: "no" if found == "none" else "yes",
    "ask_any": lambda found: "no" if found == "none" else "yes",
    "ask_count": lambda found: "zero" if found == "none" else found.partition(",")[0],
    "ask_count_colour": lambda found: "zero" if found == "none" else found.partition(",")[0],
    "ask_colour": lambda found: found.split()[2],
    **dict.fromkeys(("ask_where", "ask_in", "ask_on", "ask_nearest", "ask_scene"), lambda found: found),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_to_a_question_stands_in_what_was_found(name: str) -> None:
    answers = {(plan.said, ANSWERS[name](found)) for _, found, plan in thoughts(name)}
    assert len(answers) > 1 and all(said == derived for said, derived in answers), answers


def test_a_thing_that_is_called_by_where_it_is_is_found() -> None:
    relations = set()
    for said, found, plan in thoughts("which_one"):
        assert found.removeprefix("the ") in {str(noun) for noun in plan.nouns}, (said.words, found)
        relations.add(said.looks[0].relation)
    assert len(relations) > 5


@pytest.mark.parametrize("name", ["exclusion", "by_colour", "any_one"])
def test_what_will_do_is_the_leftmost_of_what_was_found_that_can_be_taken(name: str) -> None:
    count = 0
    for said, found, plan in thoughts(name):
        right = [str(each.target) for each in (plan, *said.or_else)]
        assert all(target in found for target in right), (said.words, found)
        assert min(right, key=found.index) == right[0]
        count += 1
    assert count > 10


@pytest.mark.parametrize(("name", "alone"), [("the_only", lambda plan: plan.verb != "which")])
def test_one_is_taken_and_of_several_it_is_asked_which(name: str, alone: Callable[[Plan], bool]) -> None:
    found_one = {alone(plan): found.startswith("one, ") for _, found, plan in thoughts(name)}
    assert found_one[False] is False


def test_what_is_conditional_depends_on_what_was_found() -> None:
    for said, found, plan in thoughts("if_there"):
        there = str(said.looks[0].target) in found
        assert there == (found != "none") and plan == said.plan


def test_training_shows_looks_and_what_is_done_after_them() -> None:
    with World(arm_model(DEFAULT_ARM)) as world:
        commands = [
            command
            for seed in range(3)
            for command in render_scene(world, seed, 64, (*TABLETOP, "ask_count", "which_one", "exclusion")).commands
        ]
    looks = [text for text, plan in commands if parse_plan(plan).looks]
    after = [plan for text, plan in commands if " > look " in text]
    assert looks and after and not any(parse_plan(plan).looks for plan in after)
    assert not any(" > look " in text for text in looks), "one look is enough for what these say"
