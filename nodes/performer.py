# SPDX-License-Identifier: Apache-2.0
"""From one instruction to its outcome: come home, look, decide, move, and look at what came of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from embodied.agent import Agent, unusable
from embodied.errors import EmbodiedError, ObservationError
from embodied.plan import GRASP_HEIGHT_M
from embodied.robots import PANDA, panda_chain
from embodied.safety import ClockScale
from embodied.skills import (
    APPROACH_SPEED_M_S,
    HOME,
    OPEN_DWELL_S,
    RELEASE_WIDTH_M,
    TRAVEL_HEIGHT_M,
    HandPose,
    Waypoint,
    waypoints,
)
from embodied.trajectory import plan_motion
from embodied.types import Decision, Float, JointTrajectory, Observation, SkillCall
from nodes.common import steady_s
from nodes.gate_client import GateClient, Outcome
from nodes.senses import Senses

ATTEMPTS = 2
_WAIT_S = 10.0
"""How long to wait for pictures, for joints and for the gate, steady seconds."""
_POLL_S = 0.02
_HOME_RAD = 0.05
_REST_RAD_S = 0.05
_HELD_WIDTH_M = (0.03, 0.06)
"""Fingers this far apart hold a block, straight or by its corners; no skill leaves them so without one."""


class Interrupted(Exception):
    """The instruction under way is no longer wanted."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How an instruction ended; `state` is done, refused, failed or stopped."""

    state: str
    text: str


_STOPPED = Result(state="stopped", text="the emergency stop is latched; call gate_node/resume to go on")


class Performer:
    """Performs instructions one at a time, in the thread that calls `perform`."""

    def __init__(
        self,
        agent: Agent,
        senses: Senses,
        gate: GateClient,
        *,
        now_s: Callable[[], float],
        max_age_s: float,
        scale: ClockScale,
    ) -> None:
        self._agent, self._senses, self._gate = agent, senses, gate
        self._now_s, self._max_age_s, self._scale = now_s, max_age_s, scale
        self._chain = panda_chain()
        self._picked_m: Float | None = None

    def perform(
        self,
        text: str,
        *,
        check: Callable[[], None],
        say: Callable[[str, str, int], None],
        on_decision: Callable[[Decision], None],
    ) -> Result:
        """Carry out `text`. `check` raises Interrupted when it is no longer wanted."""
        answer = unusable(text)
        if answer is not None:
            return Result(state="refused", text=answer)
        self._agent.instruct(text)
        result = Result(state="failed", text="nothing was tried")
        for attempt in range(1, ATTEMPTS + 1):
            check()
            say("thinking", result.text if attempt > 1 else "looking", attempt)
            blocked = self._come_home(check)
            if blocked is not None:
                result = blocked
            else:
                observation = self._look(check)
                decision = self._agent.step(observation)
                assert decision is not None, "there is an instruction"
                on_decision(decision)
                if decision.refused:
                    return Result(state="refused", text=decision.text)
                if decision.motion is None:
                    return Result(state="done", text=decision.text)
                if not isinstance(decision.motion, SkillCall):
                    raise EmbodiedError("this policy moves by action chunks; the graph executes skills")
                say("moving", decision.text, attempt)
                result = self._move(decision, decision.motion, observation, check)
            if result.state != "failed":
                return result
        return result

    def _move(
        self, decision: Decision, call: SkillCall, observation: Observation, check: Callable[[], None]
    ) -> Result:
        start = HandPose.from_matrix(self._chain.forward(observation.joint_position_rad))
        narrowest = [np.inf]

        def watch() -> None:
            check()
            narrowest[0] = min(narrowest[0], self._senses.feel().gripper_width_m)

        outcome = self._execute(waypoints(call, start), observation, decision.observation_stamp_s, watch)
        picks = call.skill in ("pick", "pick_place")
        if call.skill == "pick":
            self._picked_m = call.points_m[0]
        if outcome.done and picks and narrowest[0] < _HELD_WIDTH_M[0]:
            return Result(state="failed", text=f"the fingers closed on nothing: {decision.text}")
        return _result(outcome, decision.text)

    def _come_home(self, check: Callable[[], None]) -> Result | None:
        """Bring the arm to rest and home, without what it held. None where it is; else why not."""
        observation = self._settle(check)
        if self._gate.stopped:
            return _STOPPED
        stops: list[Waypoint] = []
        width = observation.gripper_width_m
        hand = HandPose.from_matrix(self._chain.forward(observation.joint_position_rad))
        if _HELD_WIDTH_M[0] < width < _HELD_WIDTH_M[1]:
            stops += self._put_back(hand)
        elif np.abs(observation.joint_position_rad - PANDA.home_rad).max() > _HOME_RAD:
            x, y, z = hand.position_m
            lifted = HandPose(position_m=np.array([x, y, max(z, TRAVEL_HEIGHT_M)]), yaw_rad=hand.yaw_rad)
            stops += [Waypoint(pose=lifted, gripper_width_m=width, speed_m_s=APPROACH_SPEED_M_S)]
        if not stops:
            return None
        stops.append(Waypoint(pose=HOME, gripper_width_m=stops[-1].gripper_width_m))
        outcome = self._execute(stops, observation, observation.stamp_s, check)
        return None if outcome.done else _result(outcome, "")

    def _put_back(self, hand: HandPose) -> list[Waypoint]:
        """Lay a held block down where it was picked, or, unknown, below the hand."""
        place = np.array([*hand.position_m[:2], GRASP_HEIGHT_M]) if self._picked_m is None else self._picked_m
        self._picked_m = None
        above = HandPose(position_m=np.array([place[0], place[1], TRAVEL_HEIGHT_M]))
        lift = HandPose(
            position_m=np.array([*hand.position_m[:2], max(float(hand.position_m[2]), TRAVEL_HEIGHT_M)]),
            yaw_rad=hand.yaw_rad,
        )
        down = Waypoint(
            pose=HandPose(position_m=place),
            gripper_width_m=RELEASE_WIDTH_M,
            speed_m_s=APPROACH_SPEED_M_S,
            dwell_s=OPEN_DWELL_S,
        )
        return [
            Waypoint(pose=lift, gripper_width_m=0.0, speed_m_s=APPROACH_SPEED_M_S),
            Waypoint(pose=above, gripper_width_m=0.0),
            down,
            Waypoint(pose=above, gripper_width_m=RELEASE_WIDTH_M, speed_m_s=APPROACH_SPEED_M_S),
        ]

    def _execute(
        self, stops: Sequence[Waypoint], observation: Observation, stamp_s: float, on_tick: Callable[[], None]
    ) -> Outcome:
        trajectory: JointTrajectory = plan_motion(
            self._chain, PANDA, observation.joint_position_rad, observation.gripper_width_m, stops
        )
        return self._gate.execute(trajectory, stamp_s=stamp_s, on_tick=on_tick)

    def _settle(self, check: Callable[[], None]) -> Observation:
        """Wait until the gate is there, has nothing to execute, and the arm is at rest."""

        def look() -> Observation:
            blocked = self._gate.blocked
            if blocked:
                raise ObservationError(blocked)
            if self._gate.moving:
                self._gate.stop()
                raise ObservationError("the arm is still moving")
            observation = self._senses.feel()
            if np.abs(observation.joint_velocity_rad_s).max() > _REST_RAD_S:
                raise ObservationError("the arm does not come to rest")
            return observation

        return self._until(look, check)

    def _look(self, check: Callable[[], None]) -> Observation:
        """The first observation of which every part is younger than this call."""
        since_s = self._now_s()

        def look() -> Observation:
            nonlocal since_s
            # A simulator that was started anew turns the clock back.
            now_s = self._now_s()
            since_s = min(since_s, now_s)
            # A fast simulated clock makes everything old at once: allow for it.
            allowed_s = self._agent.max_observation_age_s = self._max_age_s * self._scale.scale
            observation = self._senses.observe()
            stamps = [observation.stamp_s, *(frame.stamp_s for frame in observation.cameras.values())]
            if not (since_s <= min(stamps) and max(stamps) <= now_s + allowed_s):
                raise ObservationError("no new picture or joint state comes")
            return observation

        return self._until(look, check)

    def _until(self, look: Callable[[], Observation], check: Callable[[], None]) -> Observation:
        """Try `look` until it succeeds; its last complaint is raised after _WAIT_S."""
        began_s = steady_s()
        while True:
            check()
            try:
                return look()
            except ObservationError:
                if steady_s() - began_s > _WAIT_S:
                    raise
            threading.Event().wait(_POLL_S)


def _result(outcome: Outcome, text: str) -> Result:
    if outcome.done:
        return Result(state="done", text=text)
    if outcome.state == "stopped":
        return _STOPPED
    return Result(state="failed", text=f"{outcome.state}: {outcome.reason}")
