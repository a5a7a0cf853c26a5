# SPDX-License-Identifier: Apache-2.0
"""Plans: text and back, what each verb takes, and motions that reach what was pointed at."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from embodied.errors import UnknownNameError
from embodied.language.nouns import Noun
from embodied.language.verbs import (
    ABSENT,
    ANSWERS,
    CANNOT,
    NOUN_SLOTS,
    VERBS,
    WHICH,
    Plan,
    abilities,
    parse_plan,
    slots_of,
)
from embodied.language.verbs.place_relative import OFFSETS
from embodied.language.verbs.sweep_aside import LENGTH_M
from embodied.language.vocabulary import COLOURS, OTHER_COLOURS, RELATIONS
from embodied.model.composition import TABLETOP_VERBS
from embodied.motion.places import ROOM_M
from embodied.motion.skills import SKILLS
from embodied.things import THINGS
from tests.plans import all_plans

SIMPLE = tuple(name for name in VERBS if len(slots_of(VERBS.get(name).sentence)) < 3 or name == "place_relative")
"""Verbs whose plans are few enough to write down over many things."""
FILLED = {"target": Noun("red", "block"), "said": "a red block, and two of the others"}
ANSWERED = [Plan(verb=name, **{slot: FILLED[slot] for slot in slots_of(ANSWERS[name])}) for name in ANSWERS]
PLANS = [*all_plans(SIMPLE, THINGS.names(), (*COLOURS, *OTHER_COLOURS)), *ANSWERED]
PLANS += all_plans([name for name in VERBS if name not in SIMPLE], THINGS.names(), ("red", "blue", "pink"))
NOUNS = [Noun("red", kind) for kind in THINGS] + [Noun("blue", kind) for kind in THINGS]


def test_every_plan_reads_back_from_its_text_and_no_two_share_one() -> None:
    texts = [plan.text() for plan in PLANS]
    assert len(set(texts)) == len(PLANS) > 4000
    assert [plan for plan in PLANS[::5] if parse_plan(plan.text()) != plan] == []


def test_white_space_says_nothing() -> None:
    for plan in PLANS[:: len(PLANS) // 50]:
        assert parse_plan("  " + plan.text().replace(" ", " \n ") + "\t") == plan


@pytest.mark.parametrize(
    "text",
    [
        *("", "put red block", "put red block in green block", "dance", "touch red block now", "touch block"),
        *(
            "lift green bowl",
            "stack red block on red block",
            "push red block to green bowl",
            "no block here",
        ),
        *(
            "place red block under green bowl",
            "touch red bottle",
            "Touch red block",
            "place red block left of",
        ),
        *(
            "put green bowl in red bowl",
            "stack red block on blue zone",
            "touch {target}",
            "cannot do that now",
        ),
    ],
)
def test_other_text_is_no_plan(text: str) -> None:
    with pytest.raises(ValueError, match="not a plan"):
        parse_plan(text)


@pytest.mark.parametrize("name", VERBS.names())
def test_a_plan_with_a_thing_that_its_verb_does_not_take_is_not_read(name: str) -> None:
    """What is read is what may be written: every sentence of the verb, with every pair of things."""
    verb = VERBS.get(name)
    allowed = {plan.text() for plan in verb.plans(NOUNS)}
    said, refused = set(), set()
    options = {"relation": verb.relations, "amount": verb.amounts} | dict.fromkeys(NOUN_SLOTS, NOUNS)
    slots = slots_of(verb.sentence)
    for values in itertools.product(*(options[slot] for slot in slots)):
        text = verb.sentence.format(**dict(zip(slots, values, strict=True)))
        (said if text in allowed else refused).add(text)
    assert said == allowed
    for text in allowed:
        assert parse_plan(text).text() == text
    for text in refused:
        with pytest.raises(ValueError, match="not a plan"):
            parse_plan(text)


@pytest.mark.parametrize("name", VERBS.names())
def test_a_verb_takes_only_what_its_motion_can_be_done_to(name: str) -> None:
    """Whatever it lets through can be grounded: no verb takes what it then cannot hold or reach."""
    for plan in VERBS.get(name).plans(NOUNS):
        points = np.array([[0.4, -0.1], [0.55, 0.12], [0.5, 0.0]])[: len(plan.nouns)]
        call = plan.ground(points)
        assert call.points_m.shape == (SKILLS.get(call.skill).points, 3)
        assert np.isfinite(call.points_m).all() and (call.points_m[:, 2] >= 0.0).all()
        if SKILLS.get(call.skill).grasps:
            assert plan.target is not None and plan.target.thing.grasp is not None


def test_motions_start_at_the_target_and_end_by_the_reference() -> None:
    points = np.array([[0.4, -0.1], [0.55, 0.12]])
    for plan in PLANS:
        if plan.verb not in TABLETOP_VERBS:
            continue
        call = plan.ground(points[: len(plan.nouns)])
        assert np.array_equal(call.points_m[0, :2], points[0])
        if plan.relation is not None:
            assert plan.reference is not None
            step = call.points_m[1, :2] - points[1]
            assert np.linalg.norm(step) == pytest.approx(plan.reference.thing.beside_m)
            assert step @ np.array(OFFSETS[plan.relation]) == pytest.approx(np.linalg.norm(step))
        elif len(plan.nouns) == 2:
            assert np.array_equal(call.points_m[1, :2], points[1])


def grounded(text: str, *places: tuple[float, float], others: Sequence[tuple[float, float]] = ()) -> np.ndarray:
    """(P, 2) where the motion of a plan brings the hand."""
    call = parse_plan(text).ground(np.reshape(places, (-1, 2)), np.reshape(others, (-1, 2)))
    return call.points_m[:, :2]


def test_what_is_moved_by_an_amount_is_moved_as_the_camera_sees_it() -> None:
    for words, step in (("left by 10 cm", (0, -0.1)), ("right by 1 cm", (0, 0.01)), ("nearer by 5 cm", (0.05, 0))):
        [start, goal] = grounded(f"move red block {words}", (0.5, 0.02))
        assert np.allclose(goal - start, step)
    [start, goal] = grounded("move red block further by 12 cm", (0.5, 0.02))
    assert np.allclose(goal - start, (-0.12, 0.0))


def test_clockwise_is_as_seen_from_above() -> None:
    [place, mark] = grounded("turn red block clockwise by 90 degrees", (0.5, 0.1))
    assert np.allclose(place, (0.5, 0.1)) and np.allclose((mark - place) / np.linalg.norm(mark - place), (0.0, -1.0))


def test_between_is_half_way() -> None:
    assert np.allclose(
        grounded("place red block between blue bowl and green zone", (0.6, 0.2), (0.4, -0.1), (0.5, 0.2))[1],
        (0.45, 0.05),
    )


def test_what_has_to_go_somewhere_goes_where_nothing_stands() -> None:
    """Near to where it would have gone, and never onto what is seen."""
    others = [(0.5, 0.0), (0.42, 0.0), (0.42, 0.1)]
    for text, places in (
        ("put red block at middle", [(0.6, 0.2)]),
        ("take red block off blue block", [(0.4, -0.1), (0.4, -0.1)]),
        ("take red block out of blue bowl", [(0.4, -0.1), (0.4, -0.1)]),
        ("swap red block and blue block", [(0.6, 0.2), (0.6, -0.2)]),
        ("put it down", []),
    ):
        goal = grounded(text, *places, others=others)[-1]
        taken = [*others, *places[1:]]
        assert min(np.linalg.norm(goal - place) for place in taken) >= ROOM_M - 1e-9, text
    assert np.allclose(grounded("put red block at middle", (0.6, 0.2))[-1], (0.5, 0.0)), "where there is room"


def test_things_are_swept_to_the_nearer_side_past_what_stands_there() -> None:
    for y in (-0.1, 0.05):
        [start, goal] = grounded("sweep red block aside", (0.5, y))
        assert np.allclose(goal - start, (0.0, np.copysign(LENGTH_M, y)))
    [start, goal] = grounded("sweep red block aside", (0.5, 0.05), others=[(0.53, 0.2)])
    assert goal[0] < start[0] - 0.02 and goal[1] > start[1] + 0.08


def test_things_are_lined_up_beside_the_first_where_there_is_room() -> None:
    places = [(0.5, 0.0), (0.38, 0.2), (0.62, -0.2)]
    for others in ([], [(0.59, 0.0)], [(0.5, 0.09), (0.41, 0.0)]):
        second, third = grounded("line up red block blue block and green block", *places, others=others)[1::2]
        row = np.array([places[0], second, third])
        assert np.linalg.matrix_rank(row - row[0], tol=1e-9) == 1
        for other in others:
            assert min(np.linalg.norm(row[1:] - other, axis=1)) >= 0.085


def test_relations_are_unit_steps_in_opposite_pairs() -> None:
    assert tuple(OFFSETS) == RELATIONS
    for one, other in (("left of", "right of"), ("in front of", "behind")):
        assert np.linalg.norm(OFFSETS[one]) == 1.0
        assert np.array_equal(OFFSETS[one], -np.array(OFFSETS[other]))


def test_things_are_let_go_above_what_holds_them() -> None:
    """Higher by the grasp's height than the place's own: nothing is pressed into what is below."""
    for plan in PLANS:
        if plan.verb in ("stack", "put_in_bowl"):
            assert plan.target is not None and plan.reference is not None and plan.target.thing.grasp
            preposition = "on" if plan.verb == "stack" else "in"
            there = plan.ground(np.zeros((2, 2))).points_m[1, 2]
            held = plan.reference.thing.holds[preposition]
            assert there == pytest.approx(held + plan.target.thing.grasp.height_m)


def test_a_refusal_is_an_answer_and_no_motion() -> None:
    texts = {plan.verb: plan.text() for plan in ANSWERED}
    assert (texts[ABSENT], texts[CANNOT]) == ("no red block here", "cannot do that")
    for plan in ANSWERED:
        assert plan.refused
        with pytest.raises(AssertionError, match="only a verb has a motion"):
            plan.ground(np.zeros((len(plan.nouns), 2)))
    assert [plan for plan in PLANS if plan.refused] == ANSWERED


def test_one_may_ask_which_block_without_a_colour() -> None:
    asked = Plan(verb=WHICH, target=Noun("", "block"))
    assert asked.text() == "which block"
    assert parse_plan(asked.text()) == asked


def test_abilities_are_said_in_the_order_that_is_asked_for() -> None:
    assert abilities(["touch"]) == "touch"
    assert abilities(["stack", "pick_up"]) == "stack and pick up"
    said = abilities(VERBS.names())
    assert all(VERBS.get(name).ability in said for name in VERBS)
    with pytest.raises(UnknownNameError, match="Did you mean 'touch'"):
        abilities(["tuch"])


def test_a_noun_of_no_registered_kind_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown kind of thing 'botle'.*block, bowl.* zone"):
        _ = Noun("red", "botle").thing
