# SPDX-License-Identifier: Apache-2.0
"""Plans: text and back, what each verb takes, and motions that reach what was pointed at."""

from __future__ import annotations

import numpy as np
import pytest

from embodied.errors import UnknownNameError
from embodied.language.verbs import ABSENT, CANNOT, VERBS, Noun, Plan, abilities, all_plans, parse_plan
from embodied.language.verbs.place_relative import OFFSETS
from embodied.language.vocabulary import COLOURS, OTHER_COLOURS, RELATIONS
from embodied.motion.skills import SKILLS
from embodied.things import THINGS

PLANS = list(all_plans(VERBS.names(), THINGS.names(), (*COLOURS[:3], *OTHER_COLOURS[:2])))
NOUNS = [Noun("red", kind) for kind in THINGS] + [Noun("blue", kind) for kind in THINGS]


def test_every_plan_reads_back_from_its_text_and_no_two_share_one() -> None:
    texts = [plan.text() for plan in PLANS]
    assert len(set(texts)) == len(PLANS) > 4000
    assert [text for text, plan in zip(texts, PLANS, strict=True) if parse_plan(text) != plan] == []


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
            "no red block here",
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
    for target in NOUNS:
        for reference in NOUNS:
            for relation in verb.relations or ("",):
                text = verb.sentence.format(target=target, reference=reference, relation=relation)
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
        points = np.array([[0.4, -0.1], [0.55, 0.12]])[: len(plan.nouns)]
        call = plan.ground(points)
        assert call.points_m.shape == (SKILLS.get(call.skill).points, 3)
        assert np.isfinite(call.points_m).all() and (call.points_m[:, 2] >= 0.0).all()
        if SKILLS.get(call.skill).grasps:
            assert plan.target is not None and plan.target.thing.grasp is not None


def test_motions_start_at_the_target_and_end_by_the_reference() -> None:
    points = np.array([[0.4, -0.1], [0.55, 0.12]])
    for plan in PLANS:
        if plan.refused:
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
    absent, cannot = Plan(verb=ABSENT, target=Noun("red", "block")), Plan(verb=CANNOT)
    assert (absent.text(), cannot.text()) == ("no red block here", "cannot do that")
    for plan in (absent, cannot):
        assert plan.refused
        with pytest.raises(AssertionError, match="no motion"):
            plan.ground(np.zeros((len(plan.nouns), 2)))
    assert [plan for plan in PLANS if plan.refused] == [cannot]


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
