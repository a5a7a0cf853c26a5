# SPDX-License-Identifier: Apache-2.0
"""An arm behind topics: what the agent sees and feels of it, and the gate that moves it."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from rclpy.node import Node

from embodied.arm import ArmModel, Outcome
from embodied.errors import ObservationError
from embodied.types import Motion, Observation
from nodes.common import clock_scale, now_s, steady_s
from nodes.gate_client import GateClient
from nodes.senses import Senses
from nodes.stamps import SKEW_S

T = TypeVar("T")

_WAIT_S = 10.0
"""How long to wait for pictures, for joints and for the gate, steady seconds."""
_POLL_S = 0.02
_REST_RAD_S = 0.05
_STOPPED = Outcome(state="stopped", reason="the emergency stop is latched; call gate_node/resume to go on")


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
        if self.gate.stopped:
            return _STOPPED
        trajectory = motion.plan(self.model, observation.joints.position_rad, observation.joints.gripper_width_m)
        narrowest_m = np.inf

        def watch() -> None:
            nonlocal narrowest_m
            on_tick()
            narrowest_m = min(narrowest_m, self.senses.feel().gripper_width_m)

        outcome = self.gate.execute(trajectory, stamp_s=observation.stamp_s, on_tick=watch)
        if outcome.state == "stopped":
            outcome = _STOPPED
        return replace(outcome, narrowest_m=narrowest_m, width_m=float(trajectory.gripper_width_m[-1]))

    def stop(self) -> None:
        """Stop whatever moves, whoever asked for it. Does not wait."""
        self.gate.stop()

    def _rest(self) -> None:
        """Raises ObservationError unless the gate is there, executes nothing, and the arm is at rest."""
        if blocked := self.gate.blocked:
            raise ObservationError(blocked)
        if self.gate.moving:
            self.gate.stop()
            raise ObservationError("the arm is still moving")
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
