# SPDX-License-Identifier: Apache-2.0
"""What came of a step is told from what the policy made of it, and counted."""

from __future__ import annotations

import types
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from embodied.motion.actions import ActionChunk
from embodied.motion.skills import SkillCall
from embodied.noticing import Noticing, noticed
from embodied.types import Decision

CALL = SkillCall(skill="pick", points_m=np.array([[0.5, 0.0, 0.02]]))


def decision(text: str, *, moves: bool = True, **more: Any) -> Decision:
    return Decision(text=text, motion=CALL if moves else None, observation_stamp_s=0.0, **more)


def judging(*said: bool | None) -> Any:
    """An environment that says of each step in turn whether it came about."""
    left = list(said)
    env = types.SimpleNamespace(came_about=lambda step: left.pop(0))
    env.unwrapped = env
    return env


def test_a_step_that_is_made_again_or_given_up_was_taken_for_a_failure() -> None:
    noticing = Noticing(judging(False, True, True, False))
    done = decision("give up", moves=False, refused=True)
    for each in (decision("a"), decision("a"), decision("b"), decision("b"), done):
        noticing.hear(each, succeeded=False)
    assert noticing.steps == [(False, False), (True, True), (True, False), (False, False)]


def test_what_nobody_can_judge_is_not_counted() -> None:
    env = types.SimpleNamespace()
    env.unwrapped = env
    for judge in (env, judging(None)):
        noticing = Noticing(judge)
        noticing.hear(decision("a"), succeeded=False)
        noticing.hear(decision("b"), succeeded=False)
        assert noticing.steps == []


def test_a_new_attempt_is_the_loops_and_no_sign_that_anybody_noticed() -> None:
    noticing = Noticing(judging())
    noticing.hear(decision("a"), succeeded=False)
    noticing.begin()
    noticing.hear(decision("a"), succeeded=False)
    assert noticing.steps == []


def test_small_steps_are_no_steps() -> None:
    chunk = ActionChunk(ee_delta=np.zeros((3, 7), dtype=np.float32))
    noticing = Noticing(judging())
    for _ in range(3):
        noticing.hear(replace(decision("a"), motion=chunk), succeeded=True)
    assert noticing.steps == [] and not noticing.late


@pytest.mark.parametrize(("moves", "late"), [(True, True), (False, False)])
def test_late_is_who_moves_something_after_the_success(moves: bool, late: bool) -> None:
    noticing = Noticing(judging(True))
    noticing.hear(decision("a"), succeeded=False)
    assert not noticing.late
    noticing.hear(decision("b", moves=moves), succeeded=True)
    assert noticing.late == late


def test_the_scores_are_those_of_the_textbook() -> None:
    steps = [(True, True)] * 90 + [(True, False)] * 10 + [(False, False)] * 15 + [(False, True)] * 5
    found = noticed(steps)
    assert found is not None
    assert (found["steps"], found["failed"], found["failed_and_noticed"], found["false_alarms"]) == (
        120,
        20,
        15,
        10,
    )
    assert found["balanced_accuracy"] == pytest.approx((0.9 + 0.75) / 2)
    precision, recall = 15 / 25, 15 / 20
    assert found["f1"] == pytest.approx(2 * precision * recall / (precision + recall))


def test_without_failures_there_is_no_score_and_without_steps_nothing() -> None:
    found = noticed([(True, True)])
    assert found is not None and found["f1"] is None and found["balanced_accuracy"] is None
    assert noticed([]) is None
