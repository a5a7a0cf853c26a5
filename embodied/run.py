# SPDX-License-Identifier: Apache-2.0
"""The loop: observe, decide, execute, look again, until the decision says that it is done.

The evaluator, the film, the collector and the graph's agent all run it; what differs is the arm. It states once when a
command is tried again, when the arm comes home, when what it holds is put back, and what never moves it: words that
stop, a refusal, a question.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from embodied.arm import Arm, ArmModel, Outcome, StreamingArm
from embodied.errors import EmbodiedError, ObservationError, UnreachableError
from embodied.language import door
from embodied.language.dialogue import Dialogue
from embodied.motion.skills import NO_POINTS_M, SkillCall
from embodied.motion.skills.hold_out import OUT_M
from embodied.policy import Policy, senses_of
from embodied.types import JOINTS, Decision, Float, Instruction, Motion, Observation, Step, StreamedMotion, Vector

ATTEMPTS = 2
"""How often a command is tried."""
MAX_STEPS = 300
"""How many decisions that are not the last of their command may follow each other."""
MOST_MOTIONS = 30
"""How many whole motions, each planned from rest, a command may take."""
_HOME_RAD = 0.05
_OUT_M = 0.02
_CLOSED_M = 0.004
"""Fingers that came this near to each other, or to the width that they were told, hold nothing."""
_UNKNOWN_GRASP_M = 0.02
"""Height at which what is held is put down where it is not known how it was taken: a block's."""

Hook = Callable[[], None]


class Interrupted(Exception):
    """The instruction under way is no longer wanted."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How an instruction ended; `state` is done, refused, failed or stopped."""

    state: str
    text: str
    motions: int = 0  # that the policy decided
    over: bool = False  # whether the world ended with it
    cut: bool = False  # whether something stopped the arm on its way: only new words move it again
    asked: bool = False  # whether the text is a question, and what is said next may answer it


@dataclass(frozen=True)
class Hooks:
    """Who wants to know, and who may interrupt."""

    check: Hook = lambda: None
    """Called often; raises Interrupted when the instruction is no longer wanted. The arm is then stopped."""
    on_state: Callable[[str, str, int], None] = lambda state, text, attempt: None
    """Called with thinking or moving, the words, and the number of the attempt."""
    on_decision: Callable[[Decision], None] = lambda decision: None


class Agent:
    """A policy and an arm: `do` carries out one instruction.

    Args:
        policy, arm: what decides, and what moves.
        max_observation_age_s: an observation older than this, on the arm's clock, is refused: what was true
            then may not be true now.
        attempts: how often a command is tried.
        judge: tells whether the command is fulfilled, where something can tell (a simulator); then it is
            tried again until it is, and otherwise until the policy says that it is done.
    """

    def __init__(
        self,
        policy: Policy,
        arm: Arm,
        *,
        max_observation_age_s: float = 0.5,
        attempts: int = ATTEMPTS,
        judge: Callable[[], bool] | None = None,
    ) -> None:
        assert max_observation_age_s > 0 and attempts > 0, (max_observation_age_s, attempts)
        self.policy, self.arm = policy, arm
        self.max_observation_age_s, self.attempts, self._judge = max_observation_age_s, attempts, judge
        self._instruction = Instruction(text="")
        self._talk = Dialogue()
        self._told_m: float | None = None  # the width that the fingers were told last
        self._picked_m: Float | None = None  # where what is held was taken
        self._steps: tuple[Step, ...] = ()  # whole motions of the attempt under way
        self._clear: Observation | None = None  # the last one with the arm out of the way and nothing held

    def do(self, text: str, *, seed: int | None = None, hooks: Hooks | None = None) -> Result:
        """Carry out `text`, which may answer what the last result asked.

        Raises ObservationError where the arm's senses fail for good.
        """
        hooks = hooks or Hooks()
        if door.stops(text):
            self.forget()
            self.arm.stop()
            return Result(state="stopped", text="stopped")
        answer = door.answer_without_a_model(text)
        if answer is not None:
            return Result(state="refused", text=answer)
        self._instruction = self._talk.heard(door.plain(text), self.arm.now_s())
        self._steps, asked = (), False
        try:
            result = self._attempt(seed, hooks)
            asked = result.asked
        finally:  # what interrupts it may follow on it as well
            self._talk.told(self._instruction, self._steps, self.arm.now_s(), asked=asked)
        return result

    def _attempt(self, seed: int | None, hooks: Hooks) -> Result:
        """The attempts at the instruction, one after the other."""
        result, motions = Result(state="failed", text="nothing was tried"), 0
        for attempt in range(1, self.attempts + 1):
            hooks.check()
            # A new attempt begins at the beginning; what is drawn goes on, or it would be drawn again.
            self.policy.reset(self._instruction, seed if attempt == 1 else None)
            hooks.on_state("thinking", result.text if attempt > 1 else "looking", attempt)
            result = self._try(attempt, hooks)
            motions += result.motions
            if result.state in ("refused", "stopped") or result.over or result.cut:
                break
            if result.state == "done" and (self._judge is None or self._judge()):
                break
        return replace(result, motions=motions)

    def forget(self) -> None:
        """What is said next is a command of its own."""
        self._talk.forget()

    def decide(self, observation: Observation) -> Decision:
        """One decision, checked and timed, about an observation that is fresh and whole.

        Raises ObservationError for one that is stale, incomplete or not finite.
        """
        self._check(observation)
        return self._ask(observation)

    def _try(self, attempt: int, hooks: Hooks) -> Result:
        text, motions, self._steps = "", 0, ()
        look = self._begin
        for _ in range(MAX_STEPS):
            hooks.check()
            begun = look(hooks)
            if isinstance(begun, Result):
                return replace(begun, motions=motions)
            observation, decision = begun
            hooks.on_decision(decision)
            text, look = decision.text, self._go_on
            if decision.refused:
                return replace(self._given_up(decision), motions=motions)
            if decision.motion is None:
                if decision.done:
                    return Result(state="done", text=text, motions=motions)
                continue
            if len(self._steps) == MOST_MOTIONS:
                return Result(state="failed", text=f"not done after {MOST_MOTIONS} motions: {text}", motions=motions)
            hooks.on_state("moving", text, attempt)
            stream = _Stream(self, decision, hooks)
            outcome = self._execute(decision, observation, stream, hooks)
            motions, decision, text = motions + stream.motions, stream.last, stream.last.text
            if decision.refused and outcome.done:
                return replace(self._given_up(decision, stream.executed.text), motions=motions)
            result = replace(_result(stream.executed, outcome), motions=motions, over=outcome.over)
            if result.over or result.cut or result.state == "stopped" or decision.done:
                return result
            if isinstance(stream.executed.motion, StreamedMotion):
                if result.state != "done":
                    return result
                continue
            if result.state != "done" and self._steps and self._steps[-1].failed:
                return result
            # What comes after a whole motion is decided as the first was; what failed may be tried once more.
            self._steps += (Step(text=stream.executed.text, failed=result.state != "done"),)
            look = self._look_again
        return Result(state="failed", text=f"not done after {MAX_STEPS} steps: {text}", motions=motions)

    def _given_up(self, refusal: Decision, *begun: str) -> Result:
        """How a command ends with a refusal: once the arm has moved for it, it has failed."""
        made = (*(step.text for step in self._steps if not step.failed), *begun)
        if refusal.asked or not (self._steps or begun):
            return Result(state="refused", text=refusal.text, asked=refusal.asked)
        so_far = f" (so far: {', then '.join(made)})" if made else ""
        return Result(state="failed", text=refusal.text + so_far, cut=True)

    def _go_on(self, hooks: Hooks) -> tuple[Observation, Decision] | Result:
        observation = self.arm.observe()
        return observation, self.decide(observation)

    def _look_again(self, hooks: Hooks) -> tuple[Observation, Decision] | Result:
        """What is seen after a step, with the arm out of the way, and what is decided on it."""
        observation = self.arm.observe()
        self._check(observation)
        return self._from_home(observation, hooks)

    def _begin(self, hooks: Hooks) -> tuple[Observation, Decision] | Result:
        """What is seen with the arm at home and what is decided on it; or how the attempt ended before.

        Where the arm has to come home for that, the words are tried on what was seen last without it, and
        on what is seen now: what is refused or answered both times is so for good, and nothing moves. One of
        them says too little: things have come since, and the arm hides things. A decision counts for nothing else.

        What is held stays in the hand, unless the motion needs an empty one: then it is put back first.
        """
        observation, model = self.arm.observe(), self.arm.model
        self._check(observation)
        if model is not None and self._is_away(model, observation):
            preview = now = self._ask(self._clear or observation)
            if _speaks(preview) and self._clear is not None:
                now = self._ask(observation)
            if _speaks(preview) and _speaks(now) and preview.refused == now.refused:
                last = preview if preview.refused else now  # an answer is of what is to be seen now
                hooks.on_decision(last)
                return Result(state="refused" if last.refused else "done", text=last.text, asked=last.asked)
        return self._from_home(observation, hooks)

    def _from_home(self, observation: Observation, hooks: Hooks) -> tuple[Observation, Decision] | Result:
        """What is decided with the arm at home, and with an empty hand where the motion needs one."""
        model = self.arm.model
        if model is not None and self._is_away(model, observation):
            found = self._prepare(SkillCall(skill="home", points_m=NO_POINTS_M), "the way home", observation, hooks)
            if isinstance(found, Result):
                return found
            observation = found
        if model is None or not self._holds(model, observation):
            self._clear, self._picked_m = observation, None
            return observation, self._ask(observation)
        decision = wanted = self._ask(observation)
        if decision.refused and self._clear is not None:  # it may be about what is in the hand
            wanted = self._ask(self._clear)
        if not _needs_empty_hand(wanted):
            return observation, decision
        found = self._prepare(self._way_back(model, observation), "what was held is put back", observation, hooks)
        if isinstance(found, Result):
            return found
        self._clear, self._picked_m = found, None
        return found, self._ask(found)

    def _prepare(self, way: SkillCall, what: str, observation: Observation, hooks: Hooks) -> Observation | Result:
        """What is seen after a motion that nobody decided, or how the attempt ended with it."""
        outcome = self._move(way, observation, hooks)
        if outcome.over or not outcome.done:
            return replace(_ended(outcome, what), over=outcome.over)
        if not self._steps:  # in the middle of a command, what was decided before stands
            self.policy.reset(self._instruction)
        observation = self.arm.observe()
        self._check(observation)
        return observation

    def _is_away(self, model: ArmModel, observation: Observation) -> bool:
        """Whether the arm is neither at home nor holding something out: in both places it hides nothing."""
        position_rad = observation.joints.position_rad
        if np.abs(position_rad - model.home_rad).max() <= _HOME_RAD:
            return False
        beside_m = np.linalg.norm(model.chain.forward(position_rad)[:3, 3] - OUT_M)
        return not (beside_m <= _OUT_M and self._holds(model, observation))

    def _way_back(self, model: ArmModel, observation: Observation) -> SkillCall:
        """What puts down what is held where it was taken; below the hand where that is not known."""
        place = self._picked_m
        if place is None:
            x, y, _ = model.chain.forward(observation.joints.position_rad)[:3, 3]
            place = np.array([x, y, _UNKNOWN_GRASP_M])
        return SkillCall(skill="place", points_m=np.clip(place, model.reach_lower_m, model.reach_upper_m)[None])

    def _holds(self, model: ArmModel, observation: Observation) -> bool:
        width = observation.joints.gripper_width_m
        if self._told_m is not None:
            # Fingers that are wide open were opened by somebody else.
            return self._told_m + _CLOSED_M < width < model.gripper_width_m - _CLOSED_M
        low, high = model.held_width_m
        return low < width < high

    def _execute(self, decision: Decision, observation: Observation, stream: "_Stream", hooks: Hooks) -> Outcome:
        motion = decision.motion
        assert motion is not None
        # Before it moves: an interruption finds the thing in the hand.
        self._picked_m = self._picked_m if motion.grasp_m is None else motion.grasp_m
        if self.arm.model is not None:
            felt = replace(observation.joints, stamp_s=decision.observation_stamp_s)
            observation = replace(observation, readings={**observation.readings, JOINTS: felt})
        return self._move(motion, observation, hooks, stream)

    def _move(self, motion: Motion, observation: Observation, hooks: Hooks, stream: "_Stream | None" = None) -> Outcome:
        told_m, self._told_m = self._told_m, None  # whatever interrupts it leaves the fingers anywhere
        try:
            if stream is not None and isinstance(motion, StreamedMotion) and isinstance(self.arm, StreamingArm):
                outcome = self.arm.stream(motion, observation, stream.following, hooks.check)
            else:
                outcome = self.arm.execute(motion, observation, hooks.check)
        except UnreachableError as error:
            self._told_m = told_m
            return Outcome(state="refused", reason=str(error))
        self._told_m = outcome.width_m if outcome.done else None
        return outcome

    def _ask(self, observation: Observation) -> Decision:
        started = time.perf_counter()
        decision = self.policy.decide(replace(observation, steps=self._steps) if self._steps else observation)
        took_ms = 1e3 * (time.perf_counter() - started)
        if not isinstance(decision, Decision):
            kind = type(decision).__name__
            raise EmbodiedError(f"the policy answered with a {kind}; decide(observation) returns a Decision")
        if decision.refused and decision.motion is not None:
            raise EmbodiedError(f"the policy refuses ({decision.text!r}) and moves; a refusal has motion=None")
        if decision.asked and not decision.refused:
            raise EmbodiedError(f"the policy asks ({decision.text!r}) and goes on; a question back has refused=True")
        return replace(decision, timings_ms={**decision.timings_ms, "decide": took_ms})

    def _check(self, observation: Observation) -> None:
        senses = senses_of(self.policy)
        needed = senses if self.arm.model is None else (JOINTS, *senses)
        missing = [name for name in needed if name not in observation.readings]
        if missing:
            have = ", ".join(sorted(observation.readings)) or "none"
            raise ObservationError(f"no reading of {', '.join(missing)}; there are: {have}")
        now_s = self.arm.now_s()
        for name in needed:
            reading = observation.readings[name]
            age_s = now_s - reading.stamp_s
            # Written so that a stamp that is not a number is refused as well.
            if not abs(age_s) <= self.max_observation_age_s:
                raise ObservationError(
                    f"the reading of {name} is stale: {age_s:.3f} s old, the limit is "
                    f"{self.max_observation_age_s:.3f} s"
                )
            if isinstance(reading, Vector) and not np.isfinite(reading.values).all():
                raise ObservationError(f"the reading of {name} holds a value that is not finite")
        if self.arm.model is None:
            return
        joints = observation.joints
        if not np.isfinite([*joints.position_rad, *joints.velocity_rad_s, joints.gripper_width_m]).all():
            raise ObservationError("the joint states hold a value that is not finite")


class _Stream:
    """The decisions that follow a first one while its motion is under way."""

    def __init__(self, agent: Agent, first: Decision, hooks: Hooks) -> None:
        self._agent, self._hooks = agent, hooks
        self.last = self.executed = first
        """The newest decision, and the newest of those whose motion was handed over."""
        self.motions = 1

    def following(self, observation: Observation) -> StreamedMotion | None:
        """The motion of the next decision; None where the last one was the last, or cannot be streamed."""
        if self.last.done or self.motions >= MAX_STEPS:
            return None
        decision = self._agent.decide(observation)
        self._hooks.on_decision(decision)
        if not isinstance(decision.motion, StreamedMotion):
            # Another motion begins at rest, and is decided on what is seen then.
            self.last = replace(decision, done=decision.done and decision.motion is None)
            return None
        self.last = self.executed = decision
        self.motions += 1
        return decision.motion


def _speaks(decision: Decision) -> bool:
    """Whether it ends the command by words alone."""
    return decision.motion is None and (decision.refused or decision.done)


def _needs_empty_hand(decision: Decision) -> bool:
    """Whether what the hand holds has to be put back before what was decided, or before what may yet be."""
    if decision.motion is None:
        return not (decision.refused or decision.done)
    return decision.motion.needs_empty_hand


def _result(decision: Decision, outcome: Outcome) -> Result:
    if not outcome.done:
        return _ended(outcome, decision.text)
    grasps = decision.motion is not None and decision.motion.grasp_m is not None
    if grasps and outcome.narrowest_m < _CLOSED_M:
        return Result(state="failed", text=f"the fingers closed on nothing: {decision.text}")
    return Result(state="done", text=decision.text)


def _ended(outcome: Outcome, what: str) -> Result:
    if outcome.state == "stopped":
        return Result(state="stopped", text=outcome.reason or "the arm was stopped")
    cut = outcome.state in ("aborted", "silent")
    return Result(state="failed", text=f"{outcome.state}: {outcome.reason} ({what})", cut=cut)
