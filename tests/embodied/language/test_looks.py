# SPDX-License-Identifier: Apache-2.0
"""What the model may ask of what is seen: each look on a table that is known, and as a sentence that is read back."""

from __future__ import annotations

import itertools

import pytest
from transformers import PreTrainedTokenizerFast

from embodied.language.looks import ANY, LOOKS, THING, result_of
from embodied.language.nouns import Noun
from embodied.language.seen import Entity
from embodied.language.verbs import SAID, Plan, choices_of, parse_plan, slots_of
from embodied.model.plan_tokens import PlanLanguage

TABLE = (
    Entity(colour="red", kind="block", place_m=(0.40, -0.20)),
    Entity(colour="green", kind="bowl", place_m=(0.60, 0.00)),
    Entity(colour="blue", kind="block", place_m=(0.60, 0.01), on=1),
    Entity(colour="white", kind="block", place_m=(0.40, 0.15)),
    Entity(colour="black", kind="block", place_m=(0.40, 0.15), on=3),
    Entity(colour="blue", kind="zone", place_m=(0.45, -0.02)),
)


@pytest.mark.parametrize(
    ("look", "found"),
    [
        ("look for any block", "four, a red block, a blue block, a white block and a black block"),
        ("look for blue thing", "two, a blue zone and a blue block"),
        ("look for green bowl", "one, a green bowl"),
        ("look for yellow thing", "none"),
        ("look where red block is", "on the left at the back"),
        ("look where blue block is", "in the green bowl"),
        ("look where black block is", "on the white block"),
        ("look where purple bowl is", "none"),
        ("look in green bowl", "a blue block"),
        ("look in white block", "a black block"),
        ("look in red block", "nothing"),
        ("look in red bowl", "none"),
        ("look around", "a red block, a blue zone, a green bowl, a blue block, a white block and a black block"),
        ("look for leftmost any block", "the red block"),
        ("look for nearest any block", "the blue block"),
        ("look for rightmost green thing", "the green bowl"),
        ("look for leftmost any cup", "none"),
        ("look for any block nearest to blue zone", "the blue block"),
        ("look for any block farthest from red block", "the white block"),
        ("look for any thing left of blue zone", "the red block"),
        ("look for any thing left of red block", "none"),
        ("look for any zone right of red block", "the blue zone"),
        ("look for any thing in front of blue zone", "the green bowl"),
        ("look for any block nearest to red cup", "none"),
        ("look for any thing between red block and white block", "the blue zone"),
        ("look for any bowl between red block and blue zone", "none"),
    ],
)
def test_what_is_found(look: str, found: str) -> None:
    assert result_of(parse_plan(look), TABLE) == f"{look}: {found}"


PARTS = ("tap the red block", "put it at 3 cm, no more")
"""What somebody may have said, for a look that says it again."""


def every_plan(name: str) -> list[Plan]:
    """Of a look, with each relation, and things that differ."""
    slots = slots_of(LOOKS.get(name).sentence)
    nouns = [Noun("red", "block"), Noun(ANY, "block"), Noun("blue", THING), Noun(ANY, THING)]
    options = [PARTS if slot == SAID else choices_of(name).get(slot, nouns) for slot in slots]
    found = (Plan(verb=name, **dict(zip(slots, values, strict=True))) for values in itertools.product(*options))
    return [plan for plan in found if len(set(plan.nouns)) == len(plan.nouns)]


@pytest.mark.parametrize("name", LOOKS.names())
def test_a_look_is_read_back_and_can_be_written_by_who_knows_it(name: str, tokenizer: PreTrainedTokenizerFast) -> None:
    known = PlanLanguage(tokenizer, ["touch"], ["block"], ["red", "blue"], ["say"], [name])
    unknown = PlanLanguage(tokenizer, ["touch"], ["block"], ["red", "blue"], ["say"])
    plans = every_plan(name)
    assert plans
    for plan in plans:
        assert parse_plan(plan.text()) == plan and plan.looks and not plan.moves and not plan.refused
        assert plan in known and plan not in unknown
        node, tokens = known.tree, known.tokens(plan)
        for token in tokens.ids[: tokens.free.start or None]:
            assert token in known.vocabulary
            node = node.children[token]
        assert node.free == name if tokens.free else node.plan == plan


def test_only_a_look_names_any_thing() -> None:
    for text in ("touch red thing", "put red thing in any bowl", "no red thing here"):
        with pytest.raises(ValueError, match="not a plan"):
            parse_plan(text)


def test_more_than_a_dozen_are_counted_too() -> None:
    many = [Entity(colour="red", kind="block", place_m=(0.5, 0.01 * y)) for y in range(14)]
    for count, word in ((12, "twelve"), (13, "13"), (14, "14")):
        assert f": {word}, a red block" in result_of(parse_plan("look for red block"), many[:count])
