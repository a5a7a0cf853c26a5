# SPDX-License-Identifier: Apache-2.0
"""Answers in free words: any word of the language model's vocabulary, learnt like plans, and ended by a full stop."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch

from embodied.data.sample import Command, Sample
from embodied.language.verbs import CANNOT, SAY, Plan, parse_plan
from embodied.model.engine import Engine
from embodied.model.heads import plan as plan_head
from embodied.model.heads.plan import MOST_SAID, PlanHead, going_on
from embodied.model.palme import Palme
from embodied.train.palme import losses
from tests.embodied.model.test_words import PICTURE, observation

ANSWERS = {"who made you?": "a team, somewhere", "how many bowls?": "two", "touch it": None}


def sample() -> Sample:
    def answer(said: str | None) -> Plan:
        return Plan(verb=CANNOT) if said is None else Plan(verb=SAY, said=said)

    commands = tuple(Command(text=text, plan=answer(said)) for text, said in ANSWERS.items())
    return Sample(observations=(observation(),), commands=commands, things=())


def test_what_is_learnt_is_said(make_tiny: Callable[..., Palme]) -> None:
    torch.manual_seed(0)
    model = make_tiny(answers=(CANNOT, SAY)).train()
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=3e-3)
    told = []
    for _ in range(300):
        parts = losses(model, [sample()], [{}])
        optimizer.zero_grad()
        (parts["plan/plan"] + parts["plan/said"]).backward()
        optimizer.step()
        told.append(float(parts["plan/said"].detach()))
    assert told[-1] < 0.02 < told[0]
    engine = Engine(model)
    senses = model.senses((observation(),))
    for text, said in ANSWERS.items():
        plan = engine.answer(senses, text).plan
        assert plan is not None and plan.said == said and parse_plan(plan.text()) == plan
        assert plan.verb == (CANNOT if said is None else SAY)


def test_an_answer_without_end_is_cut(make_tiny: Callable[..., Palme], monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_tiny(answers=(SAY,), verbs=())
    head = model.heads["plan"]
    assert isinstance(head, PlanHead)
    monkeypatch.setattr(type(head.language), "stop", -1)  # whatever it says, it does not end
    written: list[int] = []
    decode = head._decode
    monkeypatch.setattr(head, "_decode", lambda ids, **given: (written.extend(ids), decode(ids, **given))[1])
    plan = Engine(model).answer({"front": PICTURE, "state": torch.zeros(8)}, "go on").plan
    assert plan is not None and plan.verb == SAY and len(written) == MOST_SAID


@torch.no_grad()
def test_reading_ahead_changes_no_answer(make_tiny: Callable[..., Palme], monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_tiny(answers=(CANNOT, SAY))
    head = model.heads["plan"]

    def said(text: str) -> tuple[str, float, torch.Tensor]:
        hidden = model.read(model.embed([model.sentence({"state": torch.zeros(8)}, [(text, None)])]), remember=True)
        words, sure, hidden = head._say(hidden)
        return words, sure, hidden.states

    followed = list[int]()
    for text in ("what is on the red block?", "a", "is there a red one, or a blue one, or a red one?"):
        ahead = said(text)
        with monkeypatch.context() as patch:
            patch.setattr(plan_head, "_following", lambda last, said: (followed.append(last), [])[1])
            plain = said(text)
        assert ahead[0] == plain[0] and ahead[1] == pytest.approx(plain[1], rel=1e-3)
        torch.testing.assert_close(ahead[2], plain[2], rtol=1e-3, atol=1e-4)
    assert len(followed) >= MOST_SAID, "these answers were long enough for much to be read in vain"


def test_words_of_an_answer_are_no_words_of_plans(make_tiny: Callable[..., Palme]) -> None:
    """Which tokens are free is told of each plan, its full stop among them; of other plans none is."""
    model = make_tiny(answers=(CANNOT, SAY))
    language = model.heads["plan"].language
    for said in ("red", "red block", "a team, somewhere"):
        tokens = language.tokens(Plan(verb=SAY, said=said))
        assert tokens.nouns == () and tokens.free.stop == len(tokens.ids) and tokens.ids[-1] == language.stop
        assert model.tokenizer.decode(tokens.ids[tokens.free.start : -1]).strip() == said
        assert language.stop in tokens.ids[tokens.free.start :]
    assert not {*tokens.ids[tokens.free.start : -1]} <= {*language.vocabulary}
    assert language.tokens(parse_plan("touch red block")).free == range(0)


PARTS = {
    "tap the red block, then lift the blue block": "tap the red block",
    "lift the blue block once you have tapped the red block": "tap the red block",
    "first go home. next, don't touch it": "don't touch it",
}


def quoting(make_tiny: Callable[..., Palme]) -> Palme:
    return make_tiny(answers=(CANNOT,), looks=("now",), entities="front")


@torch.no_grad()
def test_a_part_of_a_command_is_said_in_its_words_whatever_the_weights(make_tiny: Callable[..., Palme]) -> None:
    """Nothing can be done that nobody said."""
    said = set[str]()
    for seed in range(4):
        torch.manual_seed(seed)
        model = quoting(make_tiny).eval()
        head = model.heads["plan"]
        assert isinstance(head, PlanHead)
        for last in PARTS:
            text = f"touch it > touch red bowl / {last} > touch red bowl > look for any bowl: one, a red bowl"
            hidden = model.read(model.embed([model.sentence({"state": torch.zeros(8)}, [(text, None)])]), remember=True)
            command = head._command(hidden.sentence, 0, 0)
            assert model.tokenizer.decode(command).strip() == last, "what was said last, and nothing that was done"
            words, sure, _ = head._say(hidden, command)
            whole = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", last)
            assert words and words in last and (0.0 < sure <= 1.0 if whole else sure == 0.0)
            said.add(words)
    assert len(said) > 1


@pytest.mark.parametrize(
    ("part", "is_one"),
    [
        ("go home", True),
        ("move it 3.5 cm to the left", True),
        ("move it 3", False),
        ("ove it", False),
        ("", False),
        ("it 3.5 cm", True),
        ("then go home", True),
        ("home then", False),
    ],
)
def test_what_ends_within_a_word_or_a_number_is_no_part(part: str, is_one: bool) -> None:
    assert plan_head._is_part(part, " move it 3.5 cm to the left, then go home.") == is_one


def test_what_may_be_said_next_is_what_comes_next_somewhere() -> None:
    command, stop = [5, 6, 7, 5, 6, 8, 9, 0], 0
    assert going_on(command, [], stop) == [5, 6, 7, 8, 9]
    assert going_on(command, [5, 6], stop) == [7, 8, 0]
    assert going_on(command, [9], stop) == [0], "it ends there, at the latest"
    assert going_on([], [], stop) == [0]


def test_a_part_that_is_to_be_learnt_is_one_that_can_be_said(make_tiny: Callable[..., Palme]) -> None:
    """Each of its words is among those that may be next; learning makes it the likeliest."""
    torch.manual_seed(0)
    model = quoting(make_tiny).train()
    commands = [Command(text=text, plan=Plan(verb="now", said=part)) for text, part in list(PARTS.items())[::2]]
    one = Sample(observations=(observation(),), commands=(*commands, Command(text="touch it", plan=Plan(verb=CANNOT))))
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=3e-3)
    for _ in range(150):
        parts = losses(model, [one], [{}])
        assert "plan/said" not in parts
        optimizer.zero_grad()
        (parts["plan/plan"] + parts["plan/quoted"]).backward()
        optimizer.step()
    assert parts["plan/quoted"] < 0.05 and parts["plan/quoted_accuracy"] == 1.0
    engine, senses = Engine(model), model.senses((observation(),))
    for command in commands:
        assert engine.answer(senses, str(command.text)).plan == command.plan
