# SPDX-License-Identifier: Apache-2.0
"""An arm behind topics: what the agent sees and feels of it, and the gate that moves it."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
from rclpy.node import Node

from embodied.arm import ArmModel, NextMotion, Outcome
from embodied.errors import ObservationError, UnreachableError
from embodied.motion.path import TimedPath
from embodied.safety.splice import Seam, splice
from embodied.types import Joints, JointTrajectory, Motion, Observation, StreamedMotion
from nodes.common import clock_scale, now_s, steady_s
from nodes.gate_client import GateClient, Part
from nodes.senses import Senses
from nodes.stamps import SKEW_S

T = TypeVar("T")

_WAIT_S = 10.0
"""How long to wait for pictures, for joints and for the gate, steady seconds."""
_POLL_S = 0.02
_REMEMBERED = 20
"""Parts of a streamed motion that are remembered: two seconds of them."""
_REST_RAD_S = 0.05
_LEFT_S = 5.0
"""How long ago that may have been decided, in steady time, of which the rest is done from rest."""
_STOPPED = Outcome(state="stopped", reason="the emergency stop is latched; call gate_node/resume to go on")


class Told:
    """Where a streamed motion leads the arm, as far as the agent knows: the gate blends one part into the next."""

    def __init__(self, trajectory: JointTrajectory) -> None:
        # The first begins when the gate takes it, a little after it is proposed.
        self._paths = [(math.nan, TimedPath(trajectory))]  # when it begins, path
        self._proposed: dict[int, TimedPath] = {}

    @property
    def width_m(self) -> float:
        """The width that the fingers are told last."""
        last = self._proposed[max(self._proposed)] if self._proposed else self._paths[-1][1]
        return float(last.gripper_width_m[-1])

    def at(self, seen: Joints, seams: Mapping[int, Seam]) -> Joints:
        """Where the arm was told to be when it was seen, and how fast; the gate has taken the parts of `seams`."""
        if math.isnan(self._paths[0][0]):
            # Where on the path the arm is seen: it lags behind by what it always lags behind.
            path = self._paths[0][1]
            moments = np.linspace(0.0, path.duration_s, 400)
            away = np.abs(path.sample(moments)[0] - seen.position_rad).max(axis=1)
            self._paths[0] = (seen.stamp_s - float(moments[away.argmin()]), path)
        for part in sorted(self._proposed.keys() & seams.keys()):
            self._take(self._proposed[part], seams[part])
            # What was proposed before it has been dropped.
            self._proposed = {number: path for number, path in self._proposed.items() if number > part}
        begin_s, path = next((each for each in reversed(self._paths) if each[0] <= seen.stamp_s), self._paths[0])
        place_s = np.array([max(seen.stamp_s - begin_s, 0.0)])
        [position], [velocity] = path.sample(place_s)
        width_m = path.gripper_width_at(float(place_s[0]))
        return replace(seen, position_rad=position, velocity_rad_s=velocity, gripper_width_m=width_m)

    def follow(self, part: int, trajectory: JointTrajectory) -> None:
        """A later part is proposed."""
        self._proposed[part] = TimedPath(trajectory)

    def _take(self, later: TimedPath, seam: Seam) -> None:
        begin_s, path = self._paths[-1]
        place_s = seam.at_s - begin_s
        width_m = path.gripper_width_at(place_s)
        blended = splice(lambda at_s: path.sample(place_s + at_s), width_m, later, seam.later_s, seam.blend_s)
        self._paths.append((seam.at_s, blended))
        del self._paths[:-_REMEMBERED]


class RosArm:
    """The `Arm` of the loop, for one thread; `node` is served by another.

    `max_age_s` is how old an observation may be, on a clock that runs at its usual speed.
    """

    def __init__(self, node: Node, model: ArmModel, *, max_age_s: float, joint_prefix: str = "") -> None:
        self.model = model
        self._node, self._max_age_s, self._scale = node, max_age_s, clock_scale(node)
        self.senses = Senses(
            node, model, joint_prefix=joint_prefix, allowed_s=lambda: max(SKEW_S * self._scale.scale, self.max_age_s)
        )
        self.gate = GateClient(node, model.gripper_joints[0])
        self.check: Callable[[], None] = lambda: None
        """Called while it waits; raises where the instruction is no longer wanted."""

    def now_s(self) -> float:
        """Seconds on the clock that stamps observations."""
        return now_s(self._node)

    def watch_clock(self) -> bool:
        """Compare the clock with steady time; call it often. False where it was set back."""
        if self._scale.update(self.now_s(), steady_s()):
            return True
        self.senses.forget()
        return False

    @property
    def max_age_s(self) -> float:
        """How old an observation may be now: a fast simulated clock makes everything old at once."""
        return self._max_age_s * self._scale.scale

    def observe(self) -> Observation:
        """Everything anew, seen and felt at rest after this call. Raises ObservationError after 10 s."""
        end_s = steady_s() + _WAIT_S
        self._until(self._rest, end_s)
        since_s = self.now_s()

        def look() -> Observation:
            nonlocal since_s
            # A simulator that was started anew turns the clock back.
            since_s = min(since_s, self.now_s())
            self._rest()
            return self._look(since_s)

        return self._until(look, end_s)

    def execute(self, motion: Motion, observation: Observation, on_tick: Callable[[], None] = lambda: None) -> Outcome:
        """Plan from where the arm was seen, and let the gate move it. Raises UnreachableError."""
        return self.stream(motion, observation, None, on_tick)

    def stream(
        self,
        motion: Motion,
        observation: Observation,
        following: NextMotion | None,
        on_tick: Callable[[], None] = lambda: None,
    ) -> Outcome:
        """The same, and ask `following` for what comes next while the arm moves. Raises UnreachableError."""
        if self.gate.stopped:
            return _STOPPED
        trajectory = motion.plan(self.model, observation.joints.position_rad, observation.joints.gripper_width_m)
        narrowest_m = np.inf

        def watch() -> None:
            nonlocal narrowest_m
            on_tick()
            narrowest_m = min(narrowest_m, self.senses.feel().gripper_width_m)

        told, number = Told(trajectory), 0
        newest: tuple[StreamedMotion, Observation] | None = None

        def part() -> Part | None:
            nonlocal number, newest
            if following is None:
                return None
            seen = self._look(self.now_s() - self.max_age_s)
            later = following(seen)
            if later is None:
                return None
            number, newest = number + 1, (later, seen)
            try:
                trajectory = later.plan_moving(self.model, seen.joints, told.at(seen.joints, self.gate.seams))
            except UnreachableError as error:
                raise ObservationError(str(error)) from None  # from where the arm will be, perhaps
            told.follow(number, trajectory)
            return Part(number=number, trajectory=trajectory, stamp_s=seen.stamp_s)

        outcome = self.gate.execute(trajectory, stamp_s=observation.stamp_s, on_tick=watch, following=part)
        if outcome.done and newest is not None and number not in self.gate.seams:
            # The last part could not be taken while the arm moved, and it rests where the one before it ends.
            outcome = self._from_rest(*newest, watch)
        if outcome.state == "stopped":
            outcome = _STOPPED
        return replace(outcome, narrowest_m=narrowest_m, width_m=told.width_m)

    def _from_rest(self, motion: StreamedMotion, seen: Observation, on_tick: Callable[[], None]) -> Outcome:
        """What is left of a motion that was decided on what was `seen` then, now that the arm stands."""
        rest = self.observe()
        since_s = rest.joints.stamp_s - seen.joints.stamp_s
        if since_s > _LEFT_S * self._scale.scale:
            return Outcome(state="refused", reason=f"what is left of it was decided on something {since_s:.1f} s old")
        still = replace(rest.joints, velocity_rad_s=np.zeros(self.model.joints))
        try:
            trajectory = motion.plan_moving(self.model, seen.joints, still)
        except UnreachableError as error:
            return Outcome(state="refused", reason=str(error))
        # It was new when it was decided; that the arm went on to its rest since then makes it no older.
        return self.gate.execute(trajectory, stamp_s=rest.stamp_s, on_tick=on_tick)

    def stop(self) -> None:
        """Stop whatever moves, whoever asked for it. Does not wait."""
        self.gate.stop()

    def _rest(self) -> None:
        """Raises ObservationError unless the gate is there, executes nothing, and the arm is at rest."""
        if blocked := self.gate.blocked:
            raise ObservationError(blocked)
        if self.gate.moving:
            # Not ours: that has ended, or was stopped. Two agents that stop each other's motions both get nowhere.
            raise ObservationError("the gate executes a motion, and it is not this agent's: is there a second agent?")
        if np.abs(self.senses.feel().velocity_rad_s).max() > _REST_RAD_S:
            raise ObservationError("the arm does not come to rest")

    def _look(self, since_s: float) -> Observation:
        """What is there. Raises ObservationError unless every part of it is younger than `since_s`."""
        now_s = self.now_s()
        observation = self.senses.observe()
        for name, reading in observation.readings.items():
            if reading.stamp_s < since_s:
                raise ObservationError(
                    f"nothing new comes of {name}: the newest is {now_s - reading.stamp_s:.2f} s old"
                    f"{self.senses.refusal(name)}"
                )
            if reading.stamp_s > now_s + self.max_age_s:
                ahead_s = reading.stamp_s - now_s
                raise ObservationError(f"the stamp of {name} is {ahead_s:.2f} s ahead of this node's clock")
        return observation

    def _until(self, attempt: Callable[[], T], end_s: float) -> T:
        """What `attempt` gives once it succeeds; its last complaint is raised after `end_s`."""
        while True:
            self.check()
            try:
                return attempt()
            except ObservationError:
                if steady_s() > end_s:
                    raise
            time.sleep(_POLL_S)
