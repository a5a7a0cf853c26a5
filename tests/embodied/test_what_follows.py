# SPDX-License-Identifier: Apache-2.0
"""What is said after something else: an answer, what follows on it, or a command of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from embodied.language.dialogue import FOLLOWS_WITHIN_S
from embodied.run import Hooks, Interrupted, Result
from tests.embodied.fake_arm import ANSWER, AWAY, QUESTION, REFUSAL, TOUCH, FakeArm, agent_of, away_and_holding, says


@pytest.mark.parametrize("make", [FakeArm, lambda: FakeArm(AWAY)])
def test_after_a_question_back_the_next_words_come_with_the_command(make: Callable[[], FakeArm]) -> None:
    agent, policy = agent_of(make(), QUESTION)
    result = agent.do("Touch  the block")
    assert result == Result(state="refused", text=QUESTION.text, asked=True)
    policy.decisions = (says(TOUCH),)
    assert agent.do("the LEFT one").state == "done"
    assert (policy.told[-1][0], policy.earlier[-1]) == ("the left one", "touch the block")
    assert policy.asked[-1]
    agent.do("touch the bowl")
    assert (policy.earlier[-1], policy.asked[-1]) == ("the left one", False), "it was answered"


def test_a_question_about_an_answer_is_about_all_that_was_said() -> None:
    agent, policy = agent_of(FakeArm(), QUESTION)
    for words in ("stack the block", "on the bowl", "x" * 500, "the left one"):
        agent.do(words)
    # What nobody may say at once is not kept.
    assert policy.earlier == ["", "stack the block", "", ""]
    agent.do("the blue one")
    assert policy.earlier[-1] == "the left one"


@pytest.mark.parametrize(("late_s", "earlier"), [(FOLLOWS_WITHIN_S, "touch it"), (FOLLOWS_WITHIN_S + 1, ""), (-1, "")])
def test_an_answer_is_waited_for_as_long_as_it_may_be_one(late_s: float, earlier: str) -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, QUESTION)
    agent.do("touch it")
    arm.late_s = late_s
    agent.do("the left one")
    assert policy.earlier == ["", earlier]


def test_what_was_asked_is_forgotten_with_a_stop_and_kept_past_what_is_no_command() -> None:
    agent, policy = agent_of(FakeArm(), QUESTION)
    agent.do("touch it")
    for unheard in ("  ", "1234 ?"):
        assert agent.do(unheard).state == "refused"
    agent.do("the left one")
    agent.do("stop")
    agent.do("the right one")
    agent.forget()
    agent.do("touch it")
    assert policy.earlier == ["", "touch it", "", ""]


def test_what_was_done_comes_with_what_is_said_next() -> None:
    """The words and the steps of the last command, and not of the one before it."""
    agent, policy = agent_of(FakeArm(), says(TOUCH, done=False), says(TOUCH, done=False), ANSWER)
    agent.do("touch it twice")
    policy.decisions = (ANSWER,)
    agent.do("did it work?")
    agent.do("and now?")
    assert policy.earlier == ["", "touch it twice > so be it > so be it", "did it work?"]
    assert policy.asked == [False] * 3


@pytest.mark.parametrize(("forgets", "earlier"), [(False, "touch the red one"), (True, "")])
def test_what_interrupts_may_follow_on_what_it_interrupts(forgets: bool, earlier: str) -> None:
    """Unless somebody wants it forgotten, as who stops the arm does, while it is still under way."""
    agent, policy = agent_of(FakeArm(), says(TOUCH))
    checks = iter([False, False, True])

    def check() -> None:
        if next(checks):
            if forgets:
                agent.forget()
            raise Interrupted

    with pytest.raises(Interrupted):
        agent.do("touch the red one", hooks=Hooks(check))
    assert agent.do("no, the blue one").state == "done"
    assert policy.earlier == ["", earlier]


@pytest.mark.parametrize("make", [lambda: FakeArm(AWAY), away_and_holding], ids=["away", "held"])
def test_an_answer_moves_nothing_and_is_of_what_is_seen_now(make: Callable[[], FakeArm]) -> None:
    arm = make()
    agent, _ = agent_of(arm, ANSWER)
    assert agent.do("what is this?") == Result(state="done", text=ANSWER.text)
    assert arm.log == ["look", "decide"]


def test_a_question_that_nobody_answers_is_no_question_of_another_command() -> None:
    agent, policy = agent_of(FakeArm(), REFUSAL)
    for _ in range(2):
        assert not agent.do("touch it").asked
    assert policy.asked == [False, False]
