# SPDX-License-Identifier: Apache-2.0
"""gate_node: nothing reaches the arm but through here. A process of its own, without torch.

In: `proposed_trajectory` (trajectory_msgs/JointTrajectory: the arm's joints and panda_finger_joint1 with
half of the wanted width; header.stamp = the observation that it was decided on, header.frame_id = an id
for the motion; no points at all = stop), `joint_states`, and `heartbeat` (std_msgs/Header, at least 10 Hz,
frame_id = id of the motion that the agent wants executed).

Out: `arm_controller/joint_trajectory` and `gripper_controller/commands` in pieces of at most 0.2 s that
each end at rest, and `gate_status` (std_msgs/String, JSON, latched, 10 Hz):
{"state": idle | executing | done | refused | aborted | stopped, "id", "reason", "progress": 0..1,
"stopped": whether the emergency stop is latched, "blocked": why no motion can be accepted now, or ""}.

Motion runs on ROS time; the watchdogs over the other processes run on steady time. Services `~/stop`
(latches) and `~/resume`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, Header, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from embodied.errors import ObservationError, UnsafeCommandError
from embodied.robots import PANDA, panda_chain
from embodied.safety import ActionGate, ArmState, ClockScale, GateLimits, Piece, Streamer, TimedPath, Watchdog
from embodied.types import Float
from nodes import conversions
from nodes.common import (
    COMMAND,
    LATCHED,
    NEWEST,
    OK,
    RELIABLE,
    STEADY,
    WARN,
    Diagnostics,
    declare,
    run,
    steady_s,
    to_json,
)

_TICK_S = 0.02
_STALL_S = 0.06
_STATUS_TICKS = 5
_ARRIVED_RAD = 0.03
_SETTLE_S = 1.0


class GateNode(Node):
    """Checks whole motions, then hands them to the arm piece by piece for as long as all is well."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("gate_node", **kwargs)
        limits = GateLimits()
        timeout_s = declare(
            self, "heartbeat_timeout_s", 0.3, "agent's silence that stops the arm, s",
            read_only=True, low=0.05, high=5.0,
        )  # fmt: skip
        self._heartbeat = Watchdog(timeout_s)
        timeout_s = declare(
            self, "joint_states_timeout_s", limits.max_state_age_s, "arm's silence that stops it, s",
            read_only=True, low=0.05, high=5.0,
        )  # fmt: skip
        self._hearing = Watchdog(timeout_s)
        age_s = declare(
            self, "max_proposal_age_s", limits.max_proposal_age_s, "age of what a motion was decided on, s",
            read_only=True, low=0.05, high=60.0,
        )  # fmt: skip
        lower = declare(
            self,
            "workspace_lower_m",
            limits.workspace_lower_m.tolist(),
            "lowest x, y, z of the hand",
            read_only=True,
        )
        upper = declare(
            self,
            "workspace_upper_m",
            limits.workspace_upper_m.tolist(),
            "highest x, y, z of the hand",
            read_only=True,
        )
        following = "how far a joint may be from where it was told to be, rad"
        self._following_rad = declare(
            self, "following_tolerance_rad", 0.35, following, read_only=True, low=0.01, high=3.0
        )
        latch_file = "file that exists while the emergency stop is latched, so that it outlives this process"
        latch_file = declare(self, "latch_file", "", f"{latch_file}; empty: none", read_only=True)
        self._latch = Path(latch_file) if latch_file else None
        limits = GateLimits(
            workspace_lower_m=_corner("workspace_lower_m", lower),
            workspace_upper_m=_corner("workspace_upper_m", upper),
            max_proposal_age_s=age_s,
            max_state_age_s=timeout_s,
        )
        self._gate = ActionGate(PANDA, panda_chain(), limits)
        self._scale = ClockScale()
        self._position_rad: Float | None = None
        self._velocity_rad_s: Float = np.zeros(7)
        self._streamer: Streamer | None = None
        self._settling_since_s: float | None = None
        self._sent_width_m: float | None = None
        self._ticks = 0
        self._ticked_s = -np.inf
        self._refused = 0
        self._state, self._id, self._reason, self._progress = "idle", "", "", 0.0

        self._arm_out = self.create_publisher(JointTrajectory, "arm_controller/joint_trajectory", COMMAND)
        self._gripper_out = self.create_publisher(Float64MultiArray, "gripper_controller/commands", COMMAND)
        self._status_out = self.create_publisher(String, "gate_status", LATCHED)
        self.create_subscription(JointState, "joint_states", self._on_joint_states, NEWEST)
        self.create_subscription(Header, "heartbeat", self._on_heartbeat, NEWEST)
        self.create_subscription(JointTrajectory, "proposed_trajectory", self._on_proposal, RELIABLE)
        self.create_service(Trigger, "~/stop", self._on_stop)
        self.create_service(Trigger, "~/resume", self._on_resume)
        self._timer = self.create_timer(_TICK_S, self._tick, clock=STEADY)
        self._diagnostics = Diagnostics(self, "panda", self._report)
        if self._latch is not None and self._latch.exists():
            self._gate.stop()
            self._say("stopped", "", "emergency stop, latched before this gate was started")
        else:
            self._say("idle", "", "")

    def _now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def _on_joint_states(self, message: JointState) -> None:
        try:
            self._position_rad, self._velocity_rad_s, _ = conversions.from_joint_state(
                message, PANDA.joint_names
            )
        except ObservationError as error:
            # Nothing is fed: after its timeout this counts as silence.
            self.get_logger().warning(str(error), throttle_duration_sec=1.0)
            return
        self._hearing.feed(steady_s())

    def _on_heartbeat(self, message: Header) -> None:
        # While a motion runs only its own sender counts: an agent that was started anew does not want it.
        if self._streamer is None or message.frame_id == self._id:
            self._heartbeat.feed(steady_s())

    def _on_proposal(self, message: JointTrajectory) -> None:
        motion_id = message.header.frame_id
        if not message.points:
            self._abort("the agent stopped it")
            return
        if self._streamer is not None:
            self._abort(f"the motion {motion_id} came in between")
            self._refuse(motion_id, "the arm was still moving: stop it first, and propose when it is at rest")
            return
        try:
            self._accept(message)
        except UnsafeCommandError as error:
            self._refuse(motion_id, str(error))

    def _accept(self, message: JointTrajectory) -> None:
        steady, now_s = steady_s(), self._now_s()
        blocked = self._blocked(steady, now_s)
        if blocked:
            raise UnsafeCommandError(blocked)
        assert self._position_rad is not None
        arm = ArmState(
            position_rad=self._position_rad,
            velocity_rad_s=self._velocity_rad_s,
            age_s=self._hearing.silence_s(steady),
        )
        trajectory = self._gate.check(
            conversions.from_trajectory(message, PANDA.joint_names),
            arm=arm,
            proposal_age_s=now_s - conversions.from_time(message.header.stamp),
            clock_scale=self._scale.scale,
        )
        self._streamer = Streamer(TimedPath(trajectory))
        self._settling_since_s = None
        self._sent_width_m = None
        self._heartbeat.feed(steady_s())
        self._progress = 0.0
        self._say("executing", message.header.frame_id, "")

    def _blocked(self, steady: float, now_s: float) -> str:
        """Why no motion at all can be accepted now; empty where one can."""
        if self._position_rad is None:
            return "no joint_states have come: I do not know where the arm is"
        if self._hearing.expired(steady):
            return f"joint_states have been silent for {self._hearing.silence_s(steady):.2f} s"
        if now_s <= 0.0:
            return "the clock stands at zero: use_sim_time is set and no /clock has come"
        if self._heartbeat.expired(steady):
            silence_s = self._heartbeat.silence_s(steady)
            return f"no heartbeat for {silence_s:.2f} s: a motion needs a living agent"
        return ""

    def _tick(self) -> None:
        steady, now_s = steady_s(), self._now_s()
        if not self._scale.update(now_s, steady):
            self._abort("the clock went backwards", brake=False)
        self._ticks += 1
        # After a stall of this process, what was said meanwhile waits to be heard: judge nobody by it yet.
        stalled = steady - self._ticked_s > _STALL_S
        self._ticked_s = steady
        if self._streamer is not None and not stalled:
            trouble = self._trouble(steady, now_s)
            if trouble:
                text, brake = trouble
                self._abort(text, brake=brake)
            else:
                self._advance(self._streamer, steady, now_s)
        if self._ticks % _STATUS_TICKS == 0:
            self._publish_status()

    def _trouble(self, steady: float, now_s: float) -> tuple[str, bool] | None:
        """What forbids to go on, and whether the arm can still be trusted to brake along its path."""
        assert self._streamer is not None
        assert self._position_rad is not None
        if self._heartbeat.expired(steady):
            return f"the agent has been silent for {self._heartbeat.silence_s(steady):.2f} s", True
        if self._hearing.expired(steady):
            return f"joint_states have been silent for {self._hearing.silence_s(steady):.2f} s", True
        told, _ = self._streamer.path.sample(np.array([self._streamer.place_s(now_s)]))
        away = np.abs(told[0] - self._position_rad)
        # A fast clock makes what is measured old: allow for what the joints move meanwhile.
        allowed = self._following_rad * self._scale.scale
        if not away.max() <= allowed:
            joint = PANDA.joint_names[int(away.argmax())]
            return (
                f"the arm does not follow: {joint} is {away.max():.3f} rad off, at most {allowed:.3f}",
                False,
            )
        return None

    def _advance(self, streamer: Streamer, steady: float, now_s: float) -> None:
        self._progress = streamer.progress(now_s)
        self._send(streamer.piece(now_s, scale=self._scale.scale), now_s)
        if not streamer.finished(now_s):
            return
        if self._settling_since_s is None:
            self._settling_since_s = steady
        assert self._position_rad is not None
        away = np.abs(streamer.path.position_rad[-1] - self._position_rad)
        if (
            away.max() <= _ARRIVED_RAD
            and np.abs(self._velocity_rad_s).max() <= self._gate.limits.start_speed_rad_s
        ):
            self._streamer, self._progress = None, 1.0
            self._say("done", self._id, "")
        elif steady - self._settling_since_s > _SETTLE_S:
            joint = PANDA.joint_names[int(away.argmax())]
            self._abort(f"the arm did not arrive: {joint} is {away.max():.3f} rad off")

    def _send(self, piece: Piece, now_s: float) -> None:
        numbers = (piece.time_s, piece.position_rad, piece.velocity_rad_s)
        assert all(np.isfinite(values).all() for values in numbers), "a checked motion is finite"
        if piece.gripper_width_m != self._sent_width_m:
            self._gripper_out.publish(Float64MultiArray(data=[piece.gripper_width_m]))
            self._sent_width_m = piece.gripper_width_m
        self._arm_out.publish(conversions.to_arm_trajectory(PANDA.joint_names, *numbers, stamp_s=now_s))

    def _abort(self, reason: str, *, brake: bool = True) -> None:
        """Stop the arm and drop the motion under way, if there is one."""
        streamer, self._streamer = self._streamer, None
        if streamer is None:
            return
        now_s = self._now_s()
        if brake:
            self._send(streamer.brake(now_s), now_s)
        else:
            # An empty trajectory makes the controller hold where it is.
            self._arm_out.publish(JointTrajectory(joint_names=list(PANDA.joint_names)))
        self.get_logger().warning(f"stopped {self._id}: {reason}")
        self._say("aborted", self._id, reason)

    def _refuse(self, motion_id: str, reason: str) -> None:
        self._refused += 1
        self.get_logger().warning(f"refused {motion_id}: {reason}")
        self._say("refused", motion_id, reason)

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._gate.stop()
        self._abort("emergency stop")
        if self._latch is not None:
            self._latch.touch()
        self._say("stopped", self._id, "emergency stop")
        response.success, response.message = True, "stopped; nothing moves until ~/resume"
        return response

    def _on_resume(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        was_stopped = self._gate.stopped
        self._gate.resume()
        if self._latch is not None:
            self._latch.unlink(missing_ok=True)
        if was_stopped:
            self._say("idle", "", "")
        response.success = True
        response.message = "ready for the next motion" if was_stopped else "was not stopped"
        return response

    def _say(self, state: str, motion_id: str, reason: str) -> None:
        self._state, self._id, self._reason = state, motion_id, reason
        self._publish_status()

    def _publish_status(self) -> None:
        self._status_out.publish(
            to_json(
                {
                    "state": self._state,
                    "id": self._id,
                    "reason": self._reason,
                    "progress": round(self._progress, 3),
                    "stopped": self._gate.stopped,
                    "blocked": self._blocked(steady_s(), self._now_s()),
                }
            )
        )

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        silence_s = self._hearing.silence_s(steady_s())
        level = WARN if self._gate.stopped or self._hearing.expired(steady_s()) else OK
        text = f"{self._state}: {self._reason}" if self._reason else self._state
        return level, text, {"refused": self._refused, "joint_states_silence_s": f"{silence_s:.3f}"}


def _corner(name: str, values: list[float]) -> Float:
    corner = np.array(values, dtype=np.float64)
    if corner.shape != (3,) or not np.isfinite(corner).all():
        raise UnsafeCommandError(f"{name} must be three numbers in metres, not {values}")
    return corner


def main() -> int:
    """Console entry point."""
    return run(GateNode)


if __name__ == "__main__":
    sys.exit(main())
