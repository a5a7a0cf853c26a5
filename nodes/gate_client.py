# SPDX-License-Identifier: Apache-2.0
"""The agent's side of the gate: propose a motion, keep it alive, follow it to its end."""

import math
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from std_msgs.msg import Header, String
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from embodied.arm import Outcome
from embodied.errors import ObservationError
from embodied.motion.trajectory import MAX_DURATION_S
from embodied.safety.splice import BLENDS_S, Seam
from embodied.text import shown
from embodied.types import JointTrajectory
from nodes import conversions
from nodes.common import EVERY_FACT, RELIABLE, STEADY, from_json, steady_s
from nodes.inlet import Inlet

HEARTBEAT_S = 0.05
SILENCE_S = 2.0
"""The gate speaks ten times a second; after this it is taken for dead."""
_STATES = ("idle", "executing", "done", "refused", "aborted", "stopped")
_TEXTS = ("id", "reason", "blocked")
_POLL_S = 0.02
_ANSWER_S = 5.0
_NOT_BEGUN = "it was stopped before it began"
_AGAIN_S = 1.0
"""A motion that has no answer by then is proposed again: a gate that was just started may speak before it hears."""


PART_S = 0.1
"""Between two parts of a streamed motion is at least so much steady time."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A later part of a streamed motion, the `number`-th; its times count from `stamp_s`."""

    number: int
    trajectory: JointTrajectory
    stamp_s: float


class GateClient:
    """Publishes `proposed_trajectory` and `heartbeat` of `node`, and listens to `gate_status`.

    The heartbeat runs in the node's executor and names the motion that the agent wants executed.
    """

    def __init__(self, node: Node, gripper_joint: str) -> None:
        self._node, self._gripper_joint = node, gripper_joint
        self._lock = threading.Lock()
        self._status: dict[str, object] = {}
        self._heard_s = float("-inf")
        self._proposed_id = ""
        self._of_proposed: dict[str, object] = {}
        """The last that was said of the newest motion: a refusal is said once, between two words about another's."""
        self._motion_id, self._stops = "", 0
        self.seams: dict[int, Seam] = {}
        """Where the parts of the newest motion took over, by their numbers; what is not here was not taken."""
        # Ids of an agent that was started anew must differ from those that its predecessor gave.
        self._prefix, self._count = uuid.uuid4().hex[:8], 0
        self._proposed_out = node.create_publisher(JointTrajectoryMessage, "proposed_trajectory", RELIABLE)
        self._heartbeat_out = node.create_publisher(Header, "heartbeat", qos_profile_sensor_data)
        self.inlet = Inlet(node, String, "gate_status", self._on_status, EVERY_FACT)
        self._timer = node.create_timer(HEARTBEAT_S, self._beat, clock=STEADY)

    @property
    def blocked(self) -> str:
        """Why the gate would take no motion now; empty where it would."""
        if steady_s() - self._heard_s > SILENCE_S or not self._proposed_out.get_subscription_count():
            return "the gate is silent: is gate_node running?"
        with self._lock:
            return str(self._status.get("blocked", ""))

    @property
    def _gate(self) -> str:
        """Which gate spoke last; empty where none did."""
        with self._lock:
            return str(self._status.get("gate", ""))

    @property
    def moving(self) -> bool:
        """Whether the gate executes a motion, of this agent or of another."""
        with self._lock:
            return self._status.get("state") == "executing"

    @property
    def stopped(self) -> bool:
        """Whether the gate's emergency stop is latched."""
        with self._lock:
            return bool(self._status.get("stopped"))

    def stop(self) -> None:
        """Tell the gate to stop whatever moves. Does not wait."""
        message = JointTrajectoryMessage()
        message.header.stamp = self._node.get_clock().now().to_msg()
        with self._lock:
            self._motion_id, self._stops = "", self._stops + 1
            self._proposed_out.publish(message)

    def execute(
        self,
        trajectory: JointTrajectory,
        *,
        stamp_s: float,
        on_tick: Callable[[], None],
        following: Callable[[], Part | None] = lambda: None,
    ) -> Outcome:
        """Propose and wait until the motion has ended. `stamp_s` is of what it was decided on.

        `on_tick` is called in between; where it raises, the arm is stopped and the error goes on. `following` is
        asked for what comes next while the motion is under way, again and again until it gives None; where it raises
        ObservationError it is asked once more a little later.
        """
        self._count, stops = self._count + 1, self._stops
        motion_id = f"{self._prefix}-{self._count}"
        self.seams = {}
        try:
            on_tick()  # what is no longer wanted is not even proposed
            propose = partial(self._publish, motion_id, trajectory, stamp_s, stops)
            before = self._gate
            if not propose():
                return Outcome(state="aborted", reason=_NOT_BEGUN)
            return self._follow(motion_id, stops, before, propose, on_tick, following)
        except BaseException:
            self.stop()
            raise
        finally:
            self._motion_id = ""

    def _publish(self, motion_id: str, trajectory: JointTrajectory, stamp_s: float, stops: int, part: int = 0) -> bool:
        """Propose, unless something was stopped since `stops` were counted: whoever did came after the check."""
        name = conversions.named(motion_id, part)
        message = conversions.to_trajectory(
            trajectory, gripper_joint=self._gripper_joint, motion_id=name, stamp_s=stamp_s
        )
        with self._lock:
            if self._stops != stops:
                return False
            if motion_id != self._proposed_id:
                self._proposed_id, self._of_proposed = motion_id, {}
            self._motion_id = motion_id
            self._proposed_out.publish(message)
            return True

    def _follow(
        self,
        motion_id: str,
        stops: int,
        before: str,
        propose: Callable[[], bool],
        on_tick: Callable[[], None],
        following: Callable[[], Part | None],
    ) -> Outcome:
        proposed_s, gate = steady_s(), ""
        next_s, again_s = proposed_s + PART_S, proposed_s + _AGAIN_S
        while True:
            with self._lock:
                newest, status, heard_s = self._status, self._of_proposed, self._heard_s
            # After the look at the status: a motion that was interrupted has not failed.
            on_tick()
            if status:
                gate = gate or str(status.get("gate"))
                if status.get("state") != "executing":
                    return Outcome(state=str(status.get("state")), reason=str(status.get("reason", "")))
            if newest is not status and gate and newest.get("gate") != gate:
                return Outcome(state="silent", reason="the gate was started anew")
            now_s = steady_s()
            if now_s - max(heard_s, proposed_s) > SILENCE_S:
                return Outcome(state="silent", reason=f"the gate has been silent for {SILENCE_S:g} s")
            if not gate and now_s - proposed_s > _ANSWER_S:
                return Outcome(state="silent", reason=f"the gate did not answer within {_ANSWER_S:g} s")
            if not gate and newest.get("stopped"):
                return Outcome(state="aborted", reason=_NOT_BEGUN)
            if not gate and before and newest.get("gate") != before:
                # The one before may have begun, and what stopped it is not known.
                return Outcome(state="silent", reason="the gate was started anew")
            if not gate and now_s > again_s:
                propose()
                again_s = now_s + _AGAIN_S
            if gate and now_s >= next_s:
                next_s = math.inf if self._add(motion_id, stops, on_tick, following) else steady_s() + PART_S
                continue
            time.sleep(_POLL_S)

    def _add(
        self, motion_id: str, stops: int, on_tick: Callable[[], None], following: Callable[[], Part | None]
    ) -> bool:
        """Propose what follows, if it is known now; whether that was the last."""
        try:
            later = following()
        except ObservationError:
            return False
        if later is None:
            return True
        on_tick()
        self._publish(motion_id, later.trajectory, later.stamp_s, stops, later.number)
        return False

    def _beat(self) -> None:
        message = Header(frame_id=self._motion_id)
        message.stamp = self._node.get_clock().now().to_msg()
        self._heartbeat_out.publish(message)

    def _on_status(self, message: String) -> None:
        status = from_json(message)
        # Anyone may publish here, and what is no status of the gate's must not hide the one before.
        texts = all(isinstance(status.get(key, ""), str) for key in _TEXTS)
        part, seam = status.get("part", 0), status.get("seam")
        if not (
            type(part) is int
            and part >= 0
            and (seam is None or _is_seam(seam))
            and texts
            and status.get("state") in _STATES
            and isinstance(status.get("stopped", False), bool)
        ):
            raise ObservationError(f"it is no status of a gate: {shown(message.data, 80)}")
        with self._lock:
            self._status = status
            if status.get("id") == self._proposed_id:
                self._of_proposed = status
            self._heard_s = steady_s()
            if isinstance(seam, dict) and status.get("id") == self._motion_id:
                self.seams.setdefault(part, Seam(**seam))


def _is_seam(seam: object) -> bool:
    if not isinstance(seam, dict) or seam.keys() != {field.name for field in fields(Seam)}:
        return False
    if not all(type(number) in (int, float) and math.isfinite(number) for number in seam.values()):
        return False
    return 0.0 <= seam["later_s"] <= MAX_DURATION_S and 0.0 < seam["blend_s"] <= BLENDS_S[-1]
