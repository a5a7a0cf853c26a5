# SPDX-License-Identifier: Apache-2.0
"""The loop: what never moves the arm, when it comes home first, and when a command is tried again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodied.arm import Outcome
from embodied.errors import EmbodiedError, ObservationError, UnreachableError
from embodied.motion.skills import SkillCall
from embodied.run import MAX_STEPS, MOST_MOTIONS, Agent, Hooks, Interrupted, Result
from embodied.types import Decision, Motion, Observation, Picture, Step
from tests.embodied.fake_arm import (
    AWAY,
    CHUNK,
    HOLD_OUT,
    HOME,
    NOW_S,
    OPEN,
    OUT,
    PANDA,
    PICK,
    PLACE,
    PUT_DOWN,
    REFUSAL,
    TOUCH,
    FakeArm,
    Script,
    Stepwise,
    agent_of,
    away_and_holding,
    frame,
    says,
)


def test_a_command_is_told_decided_and_done() -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, says(TOUCH, "touch red block"))
    states: list[tuple[str, str, int]] = []
    decisions: list[Decision] = []
    hooks = Hooks(
        on_state=lambda state, text, attempt: states.append((state, text, attempt)),
        on_decision=decisions.append,
    )
    assert agent.do("touch it", seed=7, hooks=hooks) == Result(state="done", text="touch red block", motions=1)
    assert policy.told == [("touch it", 7)]
    assert arm.log == ["look", "decide", "touch"]
    assert states == [("thinking", "looking", 1), ("moving", "touch red block", 1)]
    [decision] = decisions
    assert decision.timings_ms["decide"] >= 0.0
    assert decision.observation_stamp_s == policy.shown[0].stamp_s


def test_a_policy_hears_the_same_words_however_they_are_written() -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, says(TOUCH))
    for text in ("touch it", "TOUCH IT", " Touch\tIt ", "to\u200buch it\x07"):
        agent.do(text)
    assert policy.told == [("touch it", None)] * 4


@pytest.mark.parametrize("make", [FakeArm, lambda: FakeArm(AWAY), away_and_holding], ids=["home", "away", "held"])
@pytest.mark.parametrize(
    "words", ["stop", "STOP!", "Please stop.", "no, stop", "don't move", "wait", "s t o p", "stopp!!"]
)
def test_a_stop_stops_the_arm_and_asks_nobody(words: str, make: Callable[[], FakeArm]) -> None:
    arm = make()
    agent, policy = agent_of(arm, says(TOUCH))
    assert agent.do(words).state == "stopped"
    assert arm.log == ["stop"]
    assert policy.told == []


@pytest.mark.parametrize("make", [FakeArm, lambda: FakeArm(AWAY), away_and_holding], ids=["home", "away", "held"])
@pytest.mark.parametrize("words", ["", " \n", "?!", "1234", "x" * 501])
def test_what_holds_no_words_never_moves_it(words: str, make: Callable[[], FakeArm]) -> None:
    arm = make()
    agent, policy = agent_of(arm, says(TOUCH))
    result = agent.do(words)
    assert result.state == "refused" and len(result.text) > 10
    assert arm.log == [] and policy.told == []


@pytest.mark.parametrize("make", [FakeArm, lambda: FakeArm(AWAY), away_and_holding], ids=["home", "away", "held"])
def test_a_refusal_moves_nothing(make: Callable[[], FakeArm]) -> None:
    """Away from home and with something in the hand too: the policy is asked, and that is all."""
    arm = make()
    agent, _ = agent_of(arm, REFUSAL)
    decisions: list[Decision] = []
    result = agent.do("touch the bowl", hooks=Hooks(on_decision=decisions.append))
    assert result == Result(state="refused", text="I see no bowl")
    assert arm.log == ["look", "decide"]
    assert [decision.text for decision in decisions] == ["I see no bowl"]


def test_who_asks_back_does_not_move() -> None:
    agent, _ = agent_of(FakeArm(), replace(says(TOUCH), asked=True))
    with pytest.raises(EmbodiedError, match="a question back has refused=True"):
        agent.do("touch it")


def test_what_is_refused_when_seen_afresh_moves_nothing_but_the_way_home() -> None:
    arm = FakeArm(AWAY)
    agent, policy = agent_of(arm, says(TOUCH))
    policy.decide = lambda observation: REFUSAL if arm.executed else says(TOUCH)  # type: ignore[method-assign]
    assert agent.do("touch it").state == "refused"
    assert arm.log == ["look", "home", "look"]


def test_away_from_home_it_comes_home_looks_again_and_then_decides() -> None:
    arm = FakeArm(AWAY)
    agent, policy = agent_of(arm, says(TOUCH))
    assert agent.do("touch it").state == "done"
    assert arm.log == ["look", "decide", "home", "look", "decide", "touch"]
    assert np.array_equal(policy.shown[-1].joints.position_rad, PANDA.home_rad)


def test_the_words_are_tried_on_the_last_clear_look_before_it_comes_home() -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, says(TOUCH))
    agent.do("touch it")
    clear = policy.shown[-1]
    arm.position_rad = AWAY
    agent.do("touch it again")
    assert policy.shown[1] is clear and policy.shown[2] is not clear


@pytest.mark.parametrize(
    ("then", "now", "moves"),
    [(True, True, False), (True, False, True), (False, True, True), (False, False, True)],
    ids=["refused then and now", "refused then", "refused now", "never refused"],
)
def test_only_what_is_refused_on_the_clear_look_and_on_this_one_is_refused_for_good(
    then: bool, now: bool, moves: bool
) -> None:
    """Things have come since the clear look, and the arm hides things on this one."""
    arm = FakeArm()
    agent, policy = agent_of(arm, says(TOUCH))
    agent.do("touch it")
    clear = policy.shown[-1]
    arm.position_rad = AWAY
    arm.log.clear()
    arm.executed.clear()

    def decide(observation: Observation) -> Decision:
        refused = then if observation is clear else now and not arm.executed
        decision = REFUSAL if refused else says(TOUCH)
        return replace(decision, observation_stamp_s=observation.stamp_s)

    policy.decide = decide  # type: ignore[method-assign]
    result = agent.do("touch it")
    assert result.state == ("done" if moves else "refused")
    assert arm.log == (["look", "home", "look", "touch"] if moves else ["look"])


def test_what_a_policy_said_before_the_way_home_counts_for_nothing() -> None:
    """One that answers step by step begins again with its first step."""
    arm = FakeArm(AWAY)
    agent, policy = agent_of(arm, says(CHUNK, done=False), says(TOUCH))
    assert agent.do("touch it", seed=3).state == "done"
    assert arm.executed[1:] == [CHUNK, TOUCH]
    assert policy.told == [("touch it", 3), ("touch it", None)]


def test_what_is_held_is_put_back_where_it_was_picked() -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, says(PICK))
    assert agent.do("lift it").state == "done"
    policy.decisions = (says(TOUCH),)
    arm.log.clear()
    assert agent.do("touch it").state == "done"
    assert arm.log == ["look", "decide", "place", "look", "decide", "touch"]
    placed = arm.executed[1]
    assert isinstance(placed, SkillCall) and np.array_equal(placed.points_m, PLACE)
    arm.log.clear()
    assert agent.do("touch it").state == "done"
    assert "place" not in arm.log


def test_fingers_that_somebody_opened_hold_nothing_any_more() -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, says(PICK))
    agent.do("lift it")
    arm.width_m = 0.08
    policy.decisions = (says(TOUCH),)
    arm.log.clear()
    assert agent.do("touch it").state == "done"
    assert arm.log == ["look", "decide", "touch"]


def test_after_a_motion_that_was_interrupted_what_the_fingers_hold_is_put_down_first() -> None:
    """Nothing is known of them then but how wide they are."""
    arm = FakeArm()
    agent, policy = agent_of(arm, says(TOUCH))
    assert agent.do("touch it").state == "done"  # the fingers were told to open
    policy.decisions = (says(PICK),)

    def interrupt() -> None:
        if arm.log[-1] == "decide":
            arm.position_rad, arm.width_m = AWAY, 0.04  # as far as it came: something is held
            raise Interrupted

    with pytest.raises(Interrupted):
        agent.do("lift it", hooks=Hooks(check=interrupt))
    policy.decisions = (says(TOUCH),)
    arm.executed.clear()
    assert agent.do("touch it").state == "done"
    assert [motion.skill for motion in arm.executed if isinstance(motion, SkillCall)] == ["home", "place", "touch"]


def test_what_nobody_saw_picked_is_put_down_below_the_hand_within_reach() -> None:
    for position in (PANDA.home_rad, AWAY, OUT):
        arm = FakeArm(position, width_m=0.04)
        agent, _ = agent_of(arm, says(TOUCH))
        agent.do("touch it")
        placed = arm.executed[-2]
        assert isinstance(placed, SkillCall) and placed.skill == "place"
        x, y, _ = PANDA.chain.forward(OUT if position is OUT else PANDA.home_rad)[:3, 3]
        below = np.clip([x, y, 0.02], PANDA.reach_lower_m, PANDA.reach_upper_m)
        assert np.allclose(placed.points_m, below)


@pytest.mark.parametrize("motion", [PUT_DOWN, OPEN, HOME], ids=lambda motion: motion.skill)
def test_what_is_held_stays_in_the_hand_for_a_motion_that_needs_no_empty_one(motion: SkillCall) -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, says(PICK))
    agent.do("lift it")
    policy.decisions = (says(motion),)
    arm.log.clear()
    assert agent.do("put it down").state == "done"
    assert arm.log == ["look", "decide", motion.skill]
    assert policy.shown[-1].joints.gripper_width_m == arm.grips, "it was seen with the thing in the hand"


def test_what_is_refused_while_it_is_in_the_hand_is_done_where_it_was_not_before() -> None:
    """The thing in the hand is not on the table, where a policy looks for it."""
    arm = FakeArm()
    agent, policy = agent_of(arm, says(PICK))
    agent.do("lift it")
    policy.decide = lambda observation: REFUSAL if agent._holds(PANDA, observation) else says(TOUCH)  # type: ignore[method-assign]
    arm.log.clear()
    assert agent.do("touch it").state == "done"
    assert arm.log == ["look", "place", "look", "touch"]


def test_what_is_refused_with_and_without_the_thing_in_the_hand_moves_nothing() -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, says(PICK))
    agent.do("lift it")
    policy.decisions = (REFUSAL,)
    arm.log.clear()
    assert agent.do("touch the bowl").state == "refused"
    assert arm.log == ["look", "decide", "decide"]


def test_one_that_has_yet_to_decide_begins_with_an_empty_hand() -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, says(PICK))
    agent.do("lift it")
    policy.decisions = (says(None, "thinking", done=False), says(PICK))
    arm.log.clear()
    assert agent.do("lift it").state == "done"
    assert arm.log == ["look", "decide", "place", "look", "decide", "look", "decide", "pick"]
    policy.decisions = (says(None, "it is there already"),)
    arm.log.clear()
    assert agent.do("lift it").state == "done"
    assert arm.log == ["look", "decide"]


def test_where_it_holds_something_out_it_decides_without_coming_home() -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, says(HOLD_OUT))
    agent.do("give it to me")
    policy.decisions = (says(OPEN),)
    arm.log.clear()
    assert agent.do("let go").state == "done"
    assert arm.log == ["look", "decide", "open"], "it lets go where it is taken"
    policy.decisions = (says(TOUCH),)
    arm.log.clear()
    assert agent.do("touch it").state == "done"
    assert arm.log == ["look", "decide", "home", "look", "decide", "touch"], "with an empty hand it comes home"


def test_what_is_held_out_is_put_back_before_something_else_is_done() -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, says(HOLD_OUT))
    agent.do("give it to me")
    policy.decisions = (says(TOUCH),)
    arm.log.clear()
    assert agent.do("touch it").state == "done"
    assert arm.log == ["look", "decide", "place", "look", "decide", "touch"]
    placed = arm.executed[1]
    assert isinstance(placed, SkillCall) and np.array_equal(placed.points_m, PLACE)


def test_fingers_that_closed_on_nothing_are_tried_again() -> None:
    arm = FakeArm()
    arm.outcomes = [Outcome(state="done", narrowest_m=0.001, width_m=0.0)]
    agent, _ = agent_of(arm, says(PICK, "lift red block"))
    assert agent.do("lift it") == Result(state="done", text="lift red block", motions=2)
    assert arm.log == ["look", "decide", "pick", "look", "decide", "pick"]


def test_fingers_that_close_on_nothing_for_good_are_told() -> None:
    arm = FakeArm()
    arm.grips = 0.0
    agent, _ = agent_of(arm, says(PICK, "lift red block"))
    result = agent.do("lift it")
    assert (result.state, result.motions) == ("failed", 2)
    assert result.text == "the fingers closed on nothing: lift red block"


def test_closed_fingers_are_no_failure_of_a_skill_that_takes_nothing() -> None:
    arm = FakeArm()
    arm.outcomes = [Outcome(state="done", narrowest_m=0.0, width_m=0.0)]
    agent, _ = agent_of(arm, says(TOUCH))
    assert agent.do("touch it").state == "done"
    assert len(arm.executed) == 1


@given(st.integers(0, 12))
def test_a_policy_that_is_not_done_is_asked_until_it_is(before: int) -> None:
    arm = FakeArm()
    agent, policy = agent_of(arm, *[says(CHUNK, done=False)] * before, says(TOUCH, "there"))
    assert agent.do("touch it") == Result(state="done", text="there", motions=before + 1)
    assert arm.log == ["look", "decide", "chunk"] * before + ["look", "decide", "touch"]
    assert len({seen.stamp_s for seen in policy.shown}) == before + 1, "every decision is about a fresh look"


def test_words_without_a_motion_end_the_command_only_when_they_say_so() -> None:
    arm = FakeArm()
    agent, _ = agent_of(arm, says(None, "thinking", done=False), says(None, "it is there already"))
    assert agent.do("touch it") == Result(state="done", text="it is there already", motions=0)
    assert arm.executed == []


@pytest.mark.parametrize(("motion", "motions"), [(None, 0), (CHUNK, MAX_STEPS)])
def test_a_policy_that_is_never_done_is_given_up(motion: Motion | None, motions: int) -> None:
    arm = FakeArm()
    policy = Script(says(motion, "on and on", done=False))
    result = Agent(policy, arm, attempts=1).do("touch it")
    assert result.state == "failed" and "not done after" in result.text and "on and on" in result.text
    assert (result.motions, len(policy.shown)) == (motions, MAX_STEPS)


@pytest.mark.parametrize("verdicts", [(True,), (False, True), (False, False, True), (False,) * 9])
def test_a_judge_decides_whether_it_is_tried_again(verdicts: Sequence[bool]) -> None:
    arm, said = FakeArm(), iter(verdicts)
    agent, _ = agent_of(arm, says(TOUCH), judge=lambda: next(said))
    agent.do("touch it")
    assert len(arm.executed) == min(2, verdicts.index(True) + 1 if True in verdicts else 2)


def test_a_judge_is_not_asked_about_what_failed() -> None:
    arm = FakeArm()
    arm.outcomes = [Outcome(state="aborted", reason="in the way")] * 3
    agent, _ = agent_of(arm, says(CHUNK), judge=lambda: pytest.fail("it has nothing to judge"))
    assert agent.do("touch it").state == "failed"


@pytest.mark.parametrize("where", ["policy", "way home"])
@pytest.mark.parametrize(
    ("outcome", "state", "tries"),
    [
        (Outcome(state="stopped", reason="the emergency stop"), "stopped", 1),
        (Outcome(state="refused", reason="too fast"), "failed", 2),
        (Outcome(state="aborted", reason="in the way"), "failed", 1),
        (Outcome(state="silent", reason="nobody answers"), "failed", 1),
        (Outcome(state="refused", reason="over", over=True), "failed", 1),
        (Outcome(state="done", over=True), "done", 1),
    ],
)
def test_how_a_motion_ends_is_how_the_command_ends(outcome: Outcome, state: str, tries: int, where: str) -> None:
    arm = FakeArm() if where == "policy" else FakeArm(AWAY)
    arm.outcomes = [outcome] * 9
    agent, _ = agent_of(arm, says(TOUCH))
    result = agent.do("touch it")
    if where == "way home":
        assert result.state == ("stopped" if state == "stopped" else "failed")
        assert "touch" not in arm.log
        assert result.text == outcome.reason or "the way home" in result.text
        assert result.motions == 0
        assert arm.log.count("home") == tries
        return
    assert result.state == state
    assert outcome.reason in result.text
    # The second attempt ends on the way home, since the arm stands where the first one ended.
    assert [skill for skill in arm.log if skill in ("touch", "home")] == ["touch", "home"][:tries]


def test_a_motion_that_the_arm_cannot_make_is_tried_again_and_told() -> None:
    class Short(FakeArm):
        def execute(self, motion: Motion, observation: Observation, on_tick: object = None) -> Outcome:
            self.log.append("try")
            raise UnreachableError("out of reach")

    arm = Short()
    agent, _ = agent_of(arm, says(TOUCH, "touch red block"))
    result = agent.do("touch it")
    assert (result.state, result.motions, arm.log.count("try")) == ("failed", 2, 2)
    assert "out of reach" in result.text and "touch red block" in result.text


def test_who_interrupts_is_heard_at_every_step() -> None:
    """Whichever check raises, it goes through, and nothing is begun after it."""
    for number in range(1, 8):
        arm = FakeArm(AWAY)
        agent, _ = agent_of(arm, says(CHUNK, done=False), says(TOUCH))
        asked = 0

        def check(number: int = number) -> None:
            nonlocal asked
            asked += 1
            if asked == number:
                raise Interrupted

        try:
            result = agent.do("touch it", hooks=Hooks(check=check))
        except Interrupted:
            assert asked == number
        else:
            assert result.state == "done" and asked < number
    assert asked >= 5, "before the attempt, before each step and while it moves"


def felt(seen: Observation, **changes: object) -> Observation:
    """What was seen, with other joints."""
    return replace(seen, readings={**seen.readings, "joints": replace(seen.joints, **changes)})  # type: ignore[arg-type]


def saw(seen: Observation, **pictures: Picture) -> Observation:
    """What was felt, with these pictures alone."""
    return replace(seen, readings={"joints": seen.joints, **pictures})


SPOILT: list[tuple[str, Callable[[Observation], Observation], str]] = [
    ("old joints", lambda seen: felt(seen, stamp_s=NOW_S - 1.2), "of joints is stale: 1.200 s old"),
    ("old picture", lambda seen: saw(seen, front=frame(9.0)), "reading of front is stale"),
    ("picture to come", lambda seen: saw(seen, front=frame(20.0)), "front is stale"),
    ("no time", lambda seen: saw(seen, front=frame(np.nan)), "reading of front is stale"),
    (
        "other camera",
        lambda seen: saw(seen, wrist=frame()),
        "no reading of front; there are: joints, wrist",
    ),
    ("no camera", lambda seen: saw(seen), "no reading of front; there are: joints"),
    ("no place", lambda seen: felt(seen, position_rad=np.full(7, np.nan)), "not finite"),
    ("no speed", lambda seen: felt(seen, velocity_rad_s=np.full(7, np.inf)), "not finite"),
    ("no width", lambda seen: felt(seen, gripper_width_m=float("nan")), "not finite"),
]


@pytest.mark.parametrize("make", [FakeArm, lambda: FakeArm(AWAY), away_and_holding], ids=["home", "away", "held"])
@pytest.mark.parametrize(("spoil", "words"), [case[1:] for case in SPOILT], ids=[case[0] for case in SPOILT])
def test_a_bad_observation_reaches_no_policy_and_moves_nothing(
    spoil: Callable[[Observation], Observation], words: str, make: Callable[[], FakeArm]
) -> None:
    arm = make()
    arm.spoil = spoil
    agent, policy = agent_of(arm, says(TOUCH))
    with pytest.raises(ObservationError, match=words):
        agent.do("touch it")
    with pytest.raises(ObservationError, match=words):
        agent.decide(arm.observe())
    assert policy.shown == [] and arm.executed == []


def test_a_camera_that_nobody_needs_may_be_old() -> None:
    arm = FakeArm()
    arm.spoil = lambda seen: saw(seen, front=frame(), wrist=frame(0.0))
    agent, _ = agent_of(arm, says(TOUCH))
    assert agent.do("touch it").state == "done"


@pytest.mark.parametrize("answer", [None, "touch", {"text": "touch"}])
def test_an_answer_that_is_no_decision_is_told_in_one_line(answer: object) -> None:
    agent, policy = agent_of(FakeArm(), says(TOUCH))
    policy.decide = lambda observation: answer  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(EmbodiedError, match=f"answered with a {type(answer).__name__}; .* returns a Decision"):
        agent.do("touch it")


def test_after_each_step_it_comes_home_and_the_policy_hears_what_was_done() -> None:
    arm = FakeArm()
    agent, policy = agent_of(
        arm, says(TOUCH, "touch a", done=False), says(TOUCH, "touch b", done=False), says(None, "Done.")
    )
    assert agent.do("touch both") == Result(state="done", text="Done.", motions=2)
    touch_a, touch_b = Step(text="touch a"), Step(text="touch b")
    assert [seen.steps for seen in policy.shown] == [(), (touch_a,), (touch_a, touch_b)]
    agent.do("touch it")
    assert policy.shown[3].steps == (), "another command begins with nothing done"


def test_what_gives_up_in_the_middle_has_failed_and_says_what_was_done() -> None:
    arm = FakeArm()
    policy = Stepwise(says(TOUCH, "touch a", done=False), says(TOUCH, "touch b", done=False), REFUSAL)
    result = Agent(policy, arm).do("touch all")
    assert result == Result(state="failed", text=f"{REFUSAL.text} (so far: touch a, then touch b)", motions=2, cut=True)
    assert arm.log.count("touch") == 2, "it begins anew on words alone"


def test_a_question_in_the_middle_is_still_a_question() -> None:
    question = replace(REFUSAL, text="Which block?", asked=True)
    policy = Stepwise(says(TOUCH, "touch a", done=False), question)
    result = Agent(policy, FakeArm()).do("touch two")
    assert (result.state, result.asked, result.text) == ("refused", True, "Which block?")


def test_a_step_that_failed_is_told_and_may_be_tried_again() -> None:
    arm = FakeArm()
    arm.outcomes = [Outcome(state="refused", reason="out of reach"), Outcome(state="done")]
    policy = Stepwise(says(TOUCH, "touch a", done=False), says(TOUCH, "touch a", done=False), says(None))
    assert Agent(policy, arm).do("touch it").state == "done"
    assert [step.failed for step in policy.shown[-1].steps] == [True, False]


@pytest.mark.parametrize("state", ["aborted", "silent", "stopped"])
def test_no_step_follows_on_one_that_was_stopped(state: str) -> None:
    arm = FakeArm()
    arm.outcomes = [Outcome(state=state, reason="in the way")]
    agent, policy = agent_of(arm, says(TOUCH, "touch a", done=False))
    assert agent.do("touch both").state in ("failed", "stopped")
    assert len(policy.shown) == 1


def test_a_command_takes_no_more_than_so_many_motions() -> None:
    arm = FakeArm()
    policy = Script(says(TOUCH, "once more", done=False))
    result = Agent(policy, arm, attempts=1).do("touch everything")
    assert result.state == "failed" and result.text.startswith(f"not done after {MOST_MOTIONS} motions")
    assert result.motions == arm.log.count("touch") == MOST_MOTIONS


def test_what_a_step_left_in_the_hand_is_put_back_before_the_next_that_needs_it_empty() -> None:
    arm = FakeArm()
    policy = Stepwise(says(PICK, "lift a", done=False), says(TOUCH, "touch b", done=False), says(None, "Done."))
    assert Agent(policy, arm).do("lift a, then touch b").state == "done"
    moved = [entry for entry in arm.log if entry not in ("look", "decide", "home")]
    assert moved[:3] == ["pick", "place", "touch"]


def test_what_failed_twice_in_a_row_is_given_up() -> None:
    arm = FakeArm()
    arm.outcomes = [Outcome(state="refused", reason="out of reach"), Outcome(state="done")] * 9
    policy = Stepwise(says(TOUCH, "touch a", done=False))
    result = Agent(policy, arm, attempts=1).do("touch it")
    assert result.state == "failed" and "out of reach" in result.text and result.motions == 2
