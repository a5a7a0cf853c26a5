# SPDX-License-Identifier: Apache-2.0
"""What the engine answers, whatever the weights are."""

from collections.abc import Callable

import pytest
import torch

from embodied.language.verbs import CANNOT, Noun, Plan, parse_plan
from embodied.model.composition import TABLETOP_KINDS
from embodied.model.engine import Engine
from embodied.model.palme import Palme
from tests.plans import all_plans, below

PICTURE = torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_every_plan_is_one_path_and_its_nouns_are_marked(tiny: Palme):
    language, tokenizer = tiny.heads["plan"].language, tiny.tokenizer
    words = tiny.config
    plans = [*all_plans(words.verbs, words.kinds, (*words.colours, *words.other_colours)), Plan(verb=CANNOT)]
    found = list(below(language.tree_for(frozenset())))
    assert len(found) == len(set(found)) and set(found) == set(plans)
    for plan in plans:
        assert plan in language
        tokens = language.tokens(plan)
        node = language.tree_for(frozenset())
        for token in tokens.ids:
            node = node.children[token]
        assert node.plan == plan
        assert tokenizer.decode(tokens.ids).strip() == plan.text() + "."
        for noun, thing in zip(tokens.nouns, plan.nouns, strict=True):
            assert tokenizer.decode(tokens.ids[: noun + 1]).endswith(str(thing))


def test_a_plan_names_only_colours_that_were_said(tiny: Palme):
    engine = Engine(tiny)
    for colours in (("red",), ("Purple", "pink")):
        answer = engine.answer(
            {"front": PICTURE, "state": torch.zeros(8)}, f"do it with {' and '.join(colours)} things"
        )
        assert {thing.colour for thing in answer.plan.nouns} <= {colour.lower() for colour in colours}


def test_a_model_that_has_learned_more_than_commands_is_kept_to_no_words(make_tiny: Callable[..., Palme]):
    """Whatever the weights are, some plan names another colour than the one that was said to be none of it."""
    engine = Engine(make_tiny(answers=(CANNOT, "nothing", "absent")))
    assert not engine.commands_only and Engine(make_tiny()).commands_only
    tree, affordances = engine._allowed("anything but the red one", None)
    colours = {noun.colour for plan in below(tree) for noun in plan.nouns}
    assert affordances == {} and {"red", "blue", "pink"} <= colours
    answer = engine.answer({"front": PICTURE, "state": torch.zeros(8)}, "do not touch the red one")
    assert answer.plan in engine.planner.language


def test_what_is_written_is_always_a_plan(tiny: Palme):
    engine = Engine(tiny)
    for text in ("", "lift it", "x" * 300, "\u202e\u0000 ok"):
        answer = engine.answer({"front": PICTURE, "state": torch.zeros(8)}, text)
        assert parse_plan(answer.plan.text()) == answer.plan
        assert 0.0 < answer.confidence <= 1.0
        assert len(answer.sights) == (0 if answer.plan.refused else len(answer.plan.nouns))


def test_a_plan_that_is_known_needs_no_words(tiny: Palme):
    engine = Engine(tiny)
    plan = parse_plan("put red block in green bowl")
    with torch.inference_mode():
        tiny.grounding.sharpness.fill_(3.0)
    first, again = (
        engine.answer({"front": PICTURE, "state": torch.zeros(8)}, text, plan=plan) for text in ("a", "b c")
    )
    assert first.plan == again.plan == plan
    assert first.sights == again.sights
    assert [sight.noun for sight in first.sights] == list(plan.nouns)


def test_words_that_leave_it_open_mean_what_is_in_view(tiny: Palme, monkeypatch: pytest.MonkeyPatch):
    """A random model prefers no kind; the one that the picture shows is meant, and only that one."""
    engine = Engine(tiny)
    for kind in TABLETOP_KINDS:
        monkeypatch.setattr(engine, "_presence", lambda named, kind=kind: {Noun("red", kind): 1.0})
        monkeypatch.setattr("embodied.model.engine.UNSEEN_AFFORDANCE", 1e-9)
        plan = engine.answer({"front": PICTURE, "state": torch.zeros(8)}, "the red one").plan
        assert plan.refused or set(plan.nouns) == {Noun("red", kind)}
    assert not plan.refused


def test_two_colours_that_were_said_are_both_meant(tiny: Palme, monkeypatch: pytest.MonkeyPatch):
    """Told of an absent red block and a blue bowl, nobody means blue twice."""
    engine = Engine(tiny)
    monkeypatch.setattr(engine, "_presence", lambda named: {Noun("blue", kind): 1.0 for kind in TABLETOP_KINDS})
    monkeypatch.setattr("embodied.model.engine.OMITTED_AFFORDANCE", 1e-12)
    for text in ("red and blue", "blue goes with red", "why is red not blue"):
        plan = engine.answer({"front": PICTURE, "state": torch.zeros(8)}, text).plan
        if plan.reference is not None:
            assert {thing.colour for thing in plan.nouns} == {"red", "blue"}


def test_without_the_picture_other_places_are_read(tiny: Palme):
    engine = Engine(tiny)
    plan = parse_plan("touch red block")

    def reading(picture: torch.Tensor, **control: bool) -> list[float]:
        answer = engine.answer({"front": picture, "state": torch.zeros(8)}, "x", plan=plan, **control)
        return [round(sight.probability, 6) for sight in answer.sights]

    assert reading(PICTURE) == reading(PICTURE) != reading(255 - PICTURE)
    assert reading(PICTURE, no_vision=True) != reading(PICTURE)


def test_a_missing_sense_of_the_joints_is_allowed(tiny: Palme):
    engine = Engine(tiny)
    answer = engine.answer({"front": PICTURE}, "touch the red block")
    assert answer.plan in engine.planner.language
    assert 0.0 < answer.confidence <= 1.0
