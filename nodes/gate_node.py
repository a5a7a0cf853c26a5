# SPDX-License-Identifier: Apache-2.0
"""gate_node: nothing reaches the arm but through here. A process of its own, without torch.

In: `proposed_trajectory` (trajectory_msgs/JointTrajectory: the arm's joints and its first finger joint with half of
the wanted width; header.stamp = the observation that it was decided on, header.frame_id = an id for the motion; no
points at all = stop), `joint_states`, and `heartbeat` (std_msgs/Header, at least 10 Hz, frame_id = id of the motion
that the agent wants executed). The newest proposal once more, by id and stamp, changes nothing.

A streamed motion has later parts: `id+part1`, `id+part2`, ..., whose times count from their stamp. While the motion
`id` is under way, each replaces what is left of the one before.

Out: `arm_controller/joint_trajectory` and `gripper_controller/commands` in pieces that go on for 0.06 s of steady time
and then come to rest as soon as the limits allow, and `gate_status` (std_msgs/String, JSON, latched, 10 Hz): {"state":
idle | executing | done | refused | aborted | stopped, "id", "reason", "progress": 0..1, "part": number of the part
under way, "seam": where it took over, "stopped": whether the emergency stop is latched, "blocked": why no motion can
be accepted now, or "", "gate": which process says so}.

Motion runs on ROS time, the watchdogs on steady time. Services `~/stop` (latches) and `~/resume`. An arm that is not on
its path is brought to rest where it is measured; so is one that moves although nobody ordered it to.
"""

import sys
import uuid
from typing import Any

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from embodied.errors import ObservationError, UnsafeCommandError
from embodied.motion.path import TimedPath
from embodied.safety import ActionGate, ArmState, Following, RestWatch, Stall, Streamer, Watchdog, hold
from embodied.text import shown
from embodied.types import Float, Joints
from nodes import common, conversions
from nodes.agents import Agents
from nodes.arm_output import ArmOutput
from nodes.arm_writers import GATE, ArmWriters
from nodes.common import ERROR, OK, RELIABLE, STEADY, WARN, Diagnostics, steady_s
from nodes.dds import share_no_memory
from nodes.gate_parameters import read_parameters
from nodes.gate_status import GateStatus
from nodes.inlet import Inlet, refusals
from nodes.joint_states import JointStates
from nodes.stamps import SKEW_S

_TICK_S = 0.02
_STALL_S = 0.06
_STATUS_TICKS = 5
_ARRIVED_RAD = 0.03
_NOW_S = 0.1
"""What was measured longer ago is not where the arm is."""
_SETTLE_S = 1.0


class GateNode(Node):
    """Checks whole motions, then hands them to the arm piece by piece for as long as all is well."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("gate_node", **kwargs)
        given = read_parameters(self)
        self._model, self._latch, self._ticks = given.model, given.latch, 0
        self._following = Following(given.following_rad, given.limits.max_state_age_s)
        self._heartbeat = Watchdog(given.heartbeat_timeout_s)
        self._state_age_s = given.limits.max_state_age_s
        self._gate = ActionGate(given.model, given.limits)
        self._scale, self._now_s = common.clock_scale(self), lambda: common.now_s(self)
        self._measured: Joints | None = None
        self._streamer: Streamer | None = None
        self._settling_since_s: float | None = None
        self._rest = RestWatch(given.model, given.limits.start_speed_rad_s)
        self._unordered = self._hold_is_due = False
        self._stall = Stall(given.heartbeat_timeout_s)
        self._counts = dict.fromkeys(("refused", "dropped_parts", "unordered_motions"), 0)
        self._complaint, self._judged = "", ("", float("nan"))
        self._mark = f"{GATE}{uuid.uuid4().hex[:8]}"
        self._status = GateStatus(self, self._mark, self._facts)
        self._joints = JointStates(
            self,
            given.model,
            prefix=given.joint_prefix,
            allowed_s=lambda: SKEW_S * self._scale.scale,
            on_news=self._on_joints,
        )
        self._out = ArmOutput(self, self._joints, self._rest, self._mark)
        self._agents = Agents(self, self._on_heartbeat, lambda: self._status.id, self._abort)
        self._inlets = (
            self._joints.inlet,
            self._agents.inlet,
            Inlet(self, JointTrajectory, "proposed_trajectory", self._on_proposal, RELIABLE),
        )
        self._writers = ArmWriters(self, self._mark, self._out.topics, self._on_stranger)
        # Where an executor keeps no order, what was made last here is served last: a stop undoes a resume.
        self.create_service(Trigger, "~/resume", self._on_resume)
        self.create_service(Trigger, "~/stop", self._on_stop)
        self._timer = self.create_timer(_TICK_S, self._tick, clock=STEADY)
        self._diagnostics = Diagnostics(self, given.model.name, self._report)
        self._latch_stops = self._latch.stops()
        if why := self._latch.read():
            self._gate.stop()
            why = f"{why}; call {self.get_fully_qualified_name()}/resume to release it"
            self.get_logger().warning(f"stopped: {why}")
        self._status.say("stopped" if why else "idle", "", why)

    def _on_joints(self) -> None:
        try:
            measured = self._joints.read(within_s=self._state_age_s, gripper=False)
        except ObservationError:
            return  # what is missing is said where it is asked for
        self._measured, told = measured, (measured.position_rad, measured.velocity_rad_s)
        if self._stall.just_ended(steady_s()):
            return  # it may be of before
        if self._hold_is_due:
            self._hold((measured.position_rad, np.zeros_like(measured.position_rad)))
        if self._streamer is None and self._rest.moves(*told, self._now_s()):
            # Whoever moves it: it is brought to rest for as long as it moves.
            if not self._unordered:
                self._counts["unordered_motions"] += 1
                self._unordered = True
                self._status.publish()
                self.get_logger().error(f"stopping the arm: {self._rest.complaint(self._now_s())}; I did not order it")
            self._hold(told, ordered=False)

    def _on_stranger(self, twin: bool) -> None:
        if self._streamer is not None:
            self._abort(self._writers.trouble(), on_path=False)
        elif (measured := self._measured) is not None and not twin:  # two gates would answer each other for ever
            self._hold((measured.position_rad, measured.velocity_rad_s), ordered=False)  # the last word is the gate's

    def _on_heartbeat(self, message: Header) -> None:
        # While a motion runs only its own sender counts: an agent that was started anew does not want it.
        if self._streamer is None or message.frame_id == self._status.id:
            self._heartbeat.feed(steady_s())

    def _on_proposal(self, message: JointTrajectory) -> None:
        motion_id, part = conversions.part_of(shown(message.header.frame_id, 100))
        said = motion_id, conversions.from_time(message.header.stamp)
        if not message.points:
            self._abort("the agent stopped it")
        elif part is not None:
            self._accept_part(message, motion_id, part)
        elif said == self._judged:
            self._status.publish()
        elif self._streamer is not None:
            self._refuse(motion_id, f"the motion {self._status.id} is under way: stop it first, and propose at rest")
        else:
            self._judged = said
            try:
                self._accept(message, motion_id)
            except UnsafeCommandError as error:
                self._refuse(motion_id, str(error))

    def _accept(self, message: JointTrajectory, motion_id: str) -> None:
        steady, now_s = steady_s(), self._now_s()
        blocked = self._blocked(steady, now_s)
        if blocked:
            raise UnsafeCommandError(blocked)
        trajectory = self._gate.check(
            conversions.from_trajectory(message, self._model.joint_names, self._model.gripper_joints[0]),
            arm=self._arm_state(),
            proposal_age_s=self._age_s(message, now_s, steady),
        )
        self._streamer = Streamer(TimedPath(trajectory), self._model)
        self._settling_since_s = None
        self._out.begin()
        self._heartbeat.feed(steady_s())
        self._status.progress = 0.0
        self._status.say("executing", motion_id, "")

    def _accept_part(self, message: JointTrajectory, motion_id: str, part: int) -> None:
        """The next part of the streamed motion under way; what cannot take over is dropped, and the arm goes on."""
        steady, now_s = steady_s(), self._now_s()
        stamp_s = conversions.from_time(message.header.stamp)
        try:
            if self._streamer is None or motion_id != self._status.id:
                raise UnsafeCommandError(f"the motion {motion_id} is not under way")
            if part <= (taken := self._status.part):
                raise UnsafeCommandError(f"part {part} of {motion_id} is not newer than part {taken}")
            path, seam = self._gate.check_later(
                conversions.from_trajectory(message, self._model.joint_names, self._model.gripper_joints[0]),
                earlier=self._streamer.ahead(now_s),
                width_m=self._streamer.width_m(now_s),
                stamp_s=stamp_s,
                now_s=now_s,
                arm=self._arm_state(),
                proposal_age_s=self._age_s(message, now_s, steady),
            )
            streamer = self._streamer.follow(path, now_s)
            piece = streamer.piece(now_s, scale=self._scale.scale)
            if steady_s() - steady > self._heartbeat.timeout_s:
                raise UnsafeCommandError("the gate itself stood still meanwhile")
        except UnsafeCommandError as error:
            self._counts["dropped_parts"] += 1
            self.get_logger().warning(f"dropped part {part} of {motion_id}: {error}", throttle_duration_sec=1.0)
            self._status.publish()
            return
        self._streamer, self._settling_since_s = streamer, None
        self._out.send(piece, now_s, more=True)
        self._status.take(part, seam)

    def _arm_state(self) -> ArmState:
        if (measured := self._measured) is None:
            raise UnsafeCommandError("no joint_states have come: I do not know where the arm is")
        return ArmState(
            position_rad=measured.position_rad,
            velocity_rad_s=measured.velocity_rad_s,
            age_s=self._joints.silence_s(),
        )

    def _age_s(self, message: JointTrajectory, now_s: float, steady: float) -> float:
        """How long ago, in steady time, that was seen on which the motion was decided."""
        return self._scale.age_s(conversions.from_time(message.header.stamp), now_s, steady)

    def _blocked(self, steady: float, now_s: float) -> str:
        """Why no motion at all can be accepted now; empty where one can."""
        if problem := self._joints.problem(within_s=self._state_age_s):
            return problem
        if now_s <= 0.0:
            return "the clock stands at zero: use_sim_time is set and no /clock has come"
        if self._heartbeat.expired(steady):
            silence_s = self._heartbeat.silence_s(steady)
            return f"no heartbeat for {silence_s:.2f} s: a motion needs a living agent"
        if moves := self._rest.complaint(now_s):
            return f"the arm moves, and I did not order it: {moves}"
        self._unordered = False
        return self._writers.trouble() or self._agents.trouble()

    def _tick(self) -> None:
        steady, now_s = steady_s(), self._now_s()
        if not self._scale.update(now_s, steady):
            # What was measured before is of another time, and perhaps of another arm.
            self._measured = None
            self._joints.forget()
            self._rest.forget()
            self._abort("the clock went backwards", on_path=False)
        self._ticks += 1
        # After a stall of this process, what was said meanwhile waits to be heard: judge nobody by it yet.
        away_s = self._stall.tick(steady)
        if away_s > self._heartbeat.timeout_s:
            self._abort(f"the gate itself stood still for {away_s:.2f} s")
        elif self._streamer is not None and (late := self._out.trouble(steady)):
            self._abort(late)
        if self._streamer is not None and away_s <= _STALL_S:
            if trouble := self._trouble(steady, now_s):
                self._abort(trouble[0], on_path=trouble[1])
            else:
                try:
                    self._advance(self._streamer, steady, now_s)
                except UnsafeCommandError as error:
                    self._abort(str(error))
        if self._ticks % _STATUS_TICKS == 0:
            self._read_latch()
            self._status.publish()

    def _read_latch(self) -> None:
        """A stop may also be written to the file, by whoever got no answer from here."""
        was, self._latch_stops = self._latch_stops, self._latch.stops()
        if self._latch_stops and not was and not self._gate.stopped:
            self._stop(f"emergency stop: {self._latch.read() or self._latch.path}")

    def _trouble(self, steady: float, now_s: float) -> tuple[str, bool] | None:
        """What forbids to go on, and whether the arm can still be trusted to brake along its path."""
        assert self._streamer is not None
        assert self._measured is not None
        if self._heartbeat.expired(steady):
            return f"the agent has been silent for {self._heartbeat.silence_s(steady):.2f} s", True
        if problem := self._joints.problem(within_s=self._state_age_s):
            return problem, True
        scale, names = self._scale.scale, self._model.joint_names
        lost = self._following.complaint(self._streamer, self._measured, now_s, scale, names)
        return (lost, False) if lost else None

    def _advance(self, streamer: Streamer, steady: float, now_s: float) -> None:
        self._status.progress = streamer.progress(now_s)
        piece = streamer.piece(now_s, scale=self._scale.scale)
        if steady_s() - steady > _STALL_S:
            streamer.take_back()  # this process stood still meanwhile: what it would say is of then
            return
        self._out.send(piece, now_s, more=not streamer.finished(now_s))
        if not streamer.finished(now_s):
            return
        self._settling_since_s = self._settling_since_s or steady
        assert self._measured is not None
        away = np.abs(streamer.path.position_rad[-1] - self._measured.position_rad)
        if away.max() <= _ARRIVED_RAD and not self._moves(self._measured):
            self._streamer, self._status.progress = None, 1.0
            self._status.say("done", self._status.id, "")
        elif steady - self._settling_since_s > _SETTLE_S:
            joint = self._model.joint_names[int(away.argmax())]
            # It presses against something, or cannot: the end of the path is no place to hold it at.
            self._abort(f"the arm did not arrive: {joint} is {away.max():.3f} rad off", on_path=False)

    def _moves(self, measured: Joints) -> bool:
        return bool(np.abs(measured.velocity_rad_s).max() > self._gate.limits.start_speed_rad_s)

    def _abort(self, reason: str, *, on_path: bool = True) -> None:
        """Stop the arm and drop the motion under way, if there is one."""
        streamer, self._streamer = self._streamer, None
        if streamer is None:
            return
        now_s = self._now_s()
        try:
            if on_path and not self._is_pushed(streamer, now_s):
                self._out.send(streamer.brake(now_s), now_s)
            else:
                self._hold(streamer.told(now_s))
        except UnsafeCommandError:  # it stands, and nothing is left to be said to it
            self._hold(streamer.told(now_s))
        self.get_logger().warning(f"stopped {self._status.id}: {reason}")
        self._status.say("aborted", self._status.id, reason)

    def _is_pushed(self, streamer: Streamer, now_s: float) -> bool:
        if self._measured is None or not self._joints.silence_s() <= self._state_age_s:
            return False
        return self._following.pushed(streamer, self._measured, now_s, self._scale.scale)

    def _hold(self, told: tuple[Float, Float], *, ordered: bool = True) -> None:
        """Bring the arm, which was told to be at a place with a velocity (N,), to rest where it is.

        Where that is not known it is done as soon as it is.
        """
        measured = self._measured
        unknown = measured is None or self._stall.just_ended(steady_s())
        self._hold_is_due = unknown or not self._joints.silence_s() <= _NOW_S
        if measured is not None and not self._hold_is_due:
            piece = hold(self._model, measured.position_rad, measured.velocity_rad_s, told)
            # Stamped zero: it begins when it arrives, whatever the two clocks show.
            self._out.send(piece, 0.0, ordered=ordered)

    def _refuse(self, motion_id: str, reason: str) -> None:
        self._counts["refused"] += 1
        self.get_logger().warning(f"refused {motion_id}: {reason}")
        if self._streamer is None:
            self._status.say("refused", motion_id, reason)
        else:
            # The motion under way keeps the status; the refusal is said once.
            self._status.publish(state="refused", id=motion_id, reason=reason)

    def _on_stop(self, *_: object) -> Trigger.Response:
        try:
            self._stop("emergency stop")
        finally:
            # The file comes last, for the arm does not wait for a disk; but it comes.
            self._note(self._latch.stop())
        if self._complaint:
            self._status.say("stopped", self._status.id, f"emergency stop; {self._complaint}")
        return self._answer("stopped; nothing moves until ~/resume")

    def _stop(self, why: str) -> None:
        self._gate.stop()
        measured = self._measured
        if self._streamer is not None:
            self._abort(why)
        elif measured is not None and self._moves(measured) and not self._rest.brakes(self._now_s()):
            self._hold((measured.position_rad, measured.velocity_rad_s))  # whoever moves it
        self._status.say("stopped", self._status.id, why)

    def _on_resume(self, *_: object) -> Trigger.Response:
        was_stopped = self._gate.stopped
        self._gate.resume()
        self._note(self._latch.release())
        self._latch_stops = bool(self._complaint)  # what is written there from now on is new
        if was_stopped:
            self._status.say("idle", "", self._complaint)
        return self._answer("ready for the next motion" if was_stopped else "was not stopped")

    def _note(self, complaint: str) -> None:
        """Keep what the latch file said to the last word, for the answer and for the diagnostics."""
        self._complaint = complaint
        if complaint:
            self.get_logger().error(complaint)

    def _answer(self, text: str) -> Trigger.Response:
        return Trigger.Response(success=True, message="; ".join(filter(None, (text, self._complaint))))

    def _facts(self) -> dict[str, object]:
        blocked = self._blocked(steady_s(), self._now_s())
        return {"stopped": self._gate.stopped, "blocked": blocked, "latch_file": str(self._latch.path or "")}

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        silent = self._joints.problem(within_s=self._state_age_s)
        blocked = silent or self._rest.complaint(self._now_s()) or self._writers.trouble()
        agents = self._agents.count()
        level = WARN if self._gate.stopped or blocked or agents > 1 else OK
        told: dict[str, object] = {**self._counts, "strange_messages": self._writers.strange_messages, "agents": agents}
        told |= {"joint_states_silence_s": f"{self._joints.silence_s():.3f}", "blocked": blocked}
        told |= {"latch_file": self._complaint or "ok", **refusals(self._inlets)}
        return ERROR if self._complaint else level, self._status.text, told


def main() -> int:
    """Console entry point."""
    share_no_memory()
    return common.run(GateNode)


if __name__ == "__main__":
    sys.exit(main())
