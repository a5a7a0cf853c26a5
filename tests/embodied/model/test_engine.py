# SPDX-License-Identifier: Apache-2.0
"""What the engine answers, whatever the weights are."""

from collections.abc import Sequence

import pytest
import torch

from embodied.language.verbs import CANNOT, Plan, parse_plan
from embodied.model.engine import Engine
from embodied.model.heads import plan as plan_head
from embodied.model.hidden import Hidden
from embodied.model.palme import Palme
from embodied.model.plan_tokens import Node
from tests.plans import all_plans, below

PICTURE = torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_every_plan_is_one_path_and_its_nouns_are_marked(tiny: Palme):
    language, tokenizer = tiny.heads["plan"].language, tiny.tokenizer
    words = tiny.config
    plans = [*all_plans(words.verbs, words.kinds, (*words.colours, *words.other_colours)), Plan(verb=CANNOT)]
    found = list(below(language.tree))
    assert len(found) == len(set(found)) and set(found) == set(plans)
    for plan in plans:
        assert plan in language
        tokens = language.tokens(plan)
        node = language.tree
        for token in tokens.ids:
            node = node.children[token]
        assert node.plan == plan
        assert tokenizer.decode(tokens.ids).strip() == plan.text() + "."
        for noun, thing in zip(tokens.nouns, plan.nouns, strict=True):
            assert tokenizer.decode(tokens.ids[: noun + 1]).endswith(str(thing))


def test_what_is_written_is_always_a_plan(tiny: Palme):
    engine = Engine(tiny)
    for text in ("", "lift it", "x" * 300, "\u202e\u0000 ok"):
        answer = engine.answer({"front": PICTURE, "state": torch.zeros(8)}, text)
        assert parse_plan(answer.plan.text()) == answer.plan
        assert 0.0 < answer.confidence <= 1.0
        assert len(answer.sights) == (0 if answer.plan.refused else len(answer.plan.nouns))


@torch.inference_mode()
def test_reading_ahead_changes_nothing_that_is_written(tiny: Palme, monkeypatch: pytest.MonkeyPatch):
    head, tried, right = tiny.heads["plan"], 0, 0
    likely = plan_head._likely

    def read(text: str) -> Hidden:
        senses = {"front": PICTURE, "state": torch.zeros(8)}
        return tiny.read(tiny.embed([tiny.sentence(senses, [(text, None)])]), remember=True)

    def counted(node: Node, last: int, said: Sequence[int]) -> list[int]:
        nonlocal tried
        found = likely(node, last, said)
        tried += len(found)
        return found

    for text in ("touch the red block", "put red block in green bowl.", "sweep, stack: xyz", "cannot do that"):
        hidden, node, sure = read(text), head.language.tree, 1.0
        while node.plan is None:  # word by word
            ids = list(node.children)
            probability = (hidden.states[0, -1] @ hidden.words(ids).T).softmax(dim=-1)
            sure *= float(probability.max())
            token = ids[int(probability.argmax())]
            hidden, node = hidden.written([token]), node.children[token]
            right += len(ids) > 1
        monkeypatch.setattr(plan_head, "_likely", counted)
        plan, confidence, ahead = head.write(read(text))
        assert plan == node.plan and confidence == pytest.approx(sure, rel=1e-4)
        torch.testing.assert_close(ahead.states, hidden.states, rtol=1e-4, atol=1e-4)
    assert tried > 0 and right > 0


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
