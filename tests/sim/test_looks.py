# SPDX-License-Identifier: Apache-2.0
"""What a sentence makes one look for leads to what is right: nobody who reads the result has to look again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from embodied.data.sample import Command
from embodied.language import door
from embodied.language.looks import FOUND, LOOKS, read_on
from embodied.language.verbs import DONE, Plan, look_of, parse_plan
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.palme import Palme
from embodied.train.grounding_data import GroundingData
from embodied.train.palme import PalmeTrainConfig, _at_a_look, draw, losses
from sim import grounding
from sim.grounding import GroundingConfig
from sim.moments import some_moment, under_way
from sim.phrases.talk import Talk
from sim.tasks import TABLETOP, make_task
from sim.tasks.long import InSteps, foreseen
from sim.tasks.spoken import Said, Spoken, some_plan

SEED, SCENES = 600_000, 50


def thoughts(name: str) -> Iterator[tuple[Said, str, Plan]]:
    """What a family says in so many scenes, what the last look found, and what is right then."""
    task = make_task(name)
    assert isinstance(task, Spoken)
    for seed in range(SEED, SEED + SCENES):
        rng = np.random.default_rng(seed)
        objects = task.sample(rng).objects
        said = task.about(objects, Talk(rng))
        if said is not None and said.looks:
            found = said.found(objects)[: len(said.looks)]
            assert [look_of(each) for each in found] == list(said.looks)
            yield said, found[-1].rpartition(FOUND)[2], said.plan


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


def test_where_something_is_and_what_a_look_says_of_it_are_one() -> None:
    """Also of what stands on a zone, as a push leaves it."""
    task, told = make_task("ask_where"), set()
    assert isinstance(task, Spoken)
    for seed in range(SEED, SEED + SCENES):
        rng = np.random.default_rng(seed)
        objects = make_task("push_to").sample(rng).objects
        plan = some_plan(objects, Talk(rng), ("push_to",))
        assert plan is not None
        objects = tuple(foreseen(objects, plan))
        if (said := task.about(objects, Talk(rng))) is not None:
            assert said.found(objects)[0].rpartition(FOUND)[2] == said.plan.said
            told.add((said.plan.said or "").split()[-1])
    assert {"zone", "back", "front"} <= told


@pytest.mark.parametrize(
    "name", ["all_touch", "all_in", "some_in", "tower_all", "sort_bowls", "sort_zones", "the_other"]
)
def test_the_next_step_of_a_long_task_is_about_what_was_found_and_nothing_was_done_with(name: str) -> None:
    """Also after steps: the look is at what is there now."""
    task, left = make_task(name), 0
    assert isinstance(task, InSteps)
    for seed in range(SEED, SEED + SCENES):
        rng = np.random.default_rng(seed)
        moment = some_moment([task], {}, rng)
        for text, plan, looks in islice(under_way([task], moment, {}, rng), 10):
            if not looks:
                assert " / " in text, "a command of its own came after it"
                continue
            found, made = looks[0].partition(FOUND)[2], [each.target for each in moment.made]
            assert all(str(each) in found for each in made if each != moment.held), "what was moved is still there"
            if plan.verb != DONE and not moment.slipped:
                assert str(plan.target) in found and plan.target not in made
                left += 1
    assert left > 10


@pytest.mark.parametrize("name", ["two_acts", "two_backwards", "three_acts", "if_there"])
def test_of_what_asks_for_several_acts_the_words_of_the_next_are_read_by_themselves(name: str) -> None:
    """They were said so, word for word, and name what the next step is about."""
    task, numbers = make_task(name), set[int]()
    assert isinstance(task, Spoken)
    for seed in range(SEED, SEED + SCENES):
        rng = np.random.default_rng(seed)
        objects = task.sample(rng).objects
        if (said := task.about(objects, Talk(rng))) is None:
            continue
        for number, plan in enumerate(said.steps or (said.plan,)):
            *looks, part = said.found(objects, number)
            words = part.rpartition(FOUND)[2]
            assert words in said.words and door.plain(words) == words, said.words
            assert look_of(part) == Plan(verb="now", said=words)
            assert read_on(f"{said.words} > {' > '.join(looks)}", look_of(part), part) == words
            assert all(noun.colour in words for noun in plan.nouns), (words, plan)
            numbers.add(number)
        assert said.found(objects, len(said.steps or (said.plan,))) == said.found(objects)[:-1], "then nothing is left"
    assert numbers == set(range(3 if name == "three_acts" else 1 if name == "if_there" else 2))


def test_training_takes_looks_or_answers_at_once(make_tiny: Callable[..., Palme], tmp_path: Path) -> None:
    """A model that knows them learns both halves; one that does not, what is right, from the same scenes."""
    tasks = [*TABLETOP, "ask_count", "which_one", "exclusion"]
    grounding.write(GroundingConfig(out=str(tmp_path), scenes=4, workers=1, size_px=64, tasks=tasks))
    source = GroundingData(tmp_path)
    assert {"look_for"} < set(source.words["looks"]) < set(LOOKS.names()), "those that are taken in these scenes"
    rng = np.random.default_rng(0)
    halves = dict[bool, list[tuple[str, Plan]]]()
    for knows in (True, False):
        more = {"entities": "front", "looks": source.words["looks"]} if knows else {}
        senses = {"front": SenseConfig(PartConfig("conv", {"size_px": 64, "width": 8}))}
        words = {key: source.words[key] for key in ("verbs", "answers", "kinds")}
        model = make_tiny(heads={"plan": PartConfig("plan")}, senses=senses, **words, **more)
        samples, known = draw(model, {str(tmp_path): source}, {}, PalmeTrainConfig(batch=4, commands=32), rng)
        assert torch.isfinite(losses(model, samples, known)["plan/plan"])
        halves[knows] = [(each.text, each.plan) for one in samples for each in one.commands if each.text and each.plan]
    looking = [text for text, plan in halves[True] if plan.looks]
    after = [plan for text, plan in halves[True] if " > look " in text]
    assert looking and after and not any(plan.looks for plan in after)
    assert not any(" > look " in text for text in looking), "one look is enough for what these say"
    assert not any(plan.looks or " > look " in text for text, plan in halves[False])


@pytest.mark.parametrize("known", [(), ("look_for",), ("now",), ("look_for", "now")])
def test_of_what_there_is_to_be_looked_for_a_model_learns_what_it_knows(known: tuple[str, ...]) -> None:
    looks = ("look for red block: none", "now tap the bowl: tap the bowl")
    command = Command(text="if there is a red block go home, else tap the bowl", plan=Plan(verb="go_home"), looks=looks)
    rng = np.random.default_rng(0)
    halves = {(each.text, each.plan) for each in (_at_a_look(command, known, rng) for _ in range(40))}
    look, part = parse_plan("look for red block"), Plan(verb="now", said="tap the bowl")
    after = f"{command.text} > {looks[0]}"
    expected = {
        (): {(command.text, command.plan)},
        ("look_for",): {(command.text, look), (after, command.plan)},
        ("now",): {(command.text, part), ("tap the bowl", command.plan)},
        ("look_for", "now"): {(command.text, look), (after, part), ("tap the bowl", command.plan)},
    }
    assert halves == expected[known]


def test_the_same_words_are_not_read_in_two_ways() -> None:
    """What forbids one thing beside an act is said by several families, in lines that are alike."""
    first, said_so = dict[str, str](), 0
    for name in ("just_one", "exclusion", "negation", "one_act"):
        task = make_task(name)
        assert isinstance(task, Spoken)
        objects = make_task("stack").sample(np.random.default_rng(SEED)).objects
        for seed in range(400):
            if (said := task.about(objects, Talk(np.random.default_rng(seed)))) is not None:
                found = said.found(objects)
                begins = look_of(found[0]).text() if found else said.plan.text()
                assert first.setdefault(said.words, begins) == begins, said.words
                said_so += name == "just_one"
                if isinstance(task, InSteps):
                    assert said.found(objects, 1) == found[: len(said.looks)], "nothing is left after a single act"
    assert said_so > 200
