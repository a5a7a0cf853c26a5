# SPDX-License-Identifier: Apache-2.0
"""What a gate needs around it: an arm without physics that obeys or does not, and a living agent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from embodied.arm import arm_model
from embodied.types import Float, JointTrajectory

MODEL = arm_model("panda")
PATIENCE_S = 60.0


def swing(begin_rad: Float, reach_rad: float, *, moving: bool = False) -> tuple[Float, Float, Float]:
    """Times, places and speeds of the first joint's way in 2 s, from rest or already on its way, to rest."""
    share = np.arange(1, 81) / 80
    place, speed = np.tile(begin_rad, (80, 1)), np.zeros((80, MODEL.joints))
    place[:, 0] += reach_rad * (2 * share - share**2 if moving else 3 * share**2 - 2 * share**3)
    speed[:, 0] = reach_rad * (2 - 2 * share if moving else 6 * share - 6 * share**2) / 2.0
    return 2.0 * share, place, speed


def with_open_fingers(time_s: Float, position_rad: Float, velocity_rad_s: Float) -> JointTrajectory:
    """The whole motion that goes through (T, N) these places."""
    return JointTrajectory(
        joint_names=MODEL.joint_names,
        time_s=time_s,
        position_rad=position_rad,
        velocity_rad_s=velocity_rad_s,
        gripper_width_m=np.full(len(time_s), 0.08),
    )


class Bench:
    """An arm without physics and a living agent, as one node: what a gate needs around it.

    The arm is where it is told to be, except that its first joint does not pass `wall_rad`.
    """

    def __init__(self, domain_id: int) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import qos_profile_sensor_data
        from rosgraph_msgs.msg import Clock
        from sensor_msgs.msg import JointState
        from std_msgs.msg import Header, String
        from trajectory_msgs.msg import JointTrajectory as Message

        from nodes.arm_controller import ArmController
        from nodes.common import COMMAND, EVERY_FACT, RELIABLE
        from nodes.executor import make_executor

        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self.node = rclpy.create_node("bench", context=self._context)
        self.controller = ArmController(MODEL.home_rad, MODEL.max_velocity_rad_s)
        self.wall_rad = np.inf
        self.clock_jump_s = 0.0
        self.publishing = True
        self.measured_rad = MODEL.home_rad
        self.gate: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.diagnostics: list[Any] = []
        self.sent: list[Any] = []
        self.refused: list[tuple[Any, str]] = []  # a piece that a busy machine brings too late, too
        self._motion_id = ""
        self._proposed: Any = None
        self._clock_out = self.node.create_publisher(Clock, "/clock", COMMAND)
        self._joints_out = self.node.create_publisher(JointState, "joint_states", RELIABLE)
        self._heartbeat_out = self.node.create_publisher(Header, "heartbeat", qos_profile_sensor_data)
        self._proposal_out = self.node.create_publisher(Message, "proposed_trajectory", RELIABLE)
        self.node.create_subscription(Message, "arm_controller/joint_trajectory", self._on_arm, 100)
        self.node.create_subscription(String, "gate_status", self._on_status, EVERY_FACT)
        self.node.create_subscription(
            DiagnosticArray, "/diagnostics", lambda message: self.diagnostics.extend(message.status), 10
        )
        self.node.create_timer(0.01, self._advance)
        self.node.create_timer(0.05, lambda: self._heartbeat_out.publish(Header(frame_id=self._motion_id)))
        self._executor = make_executor(self._context)
        self._executor.add_node(self.node)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    @property
    def now_s(self) -> float:
        return time.monotonic() + self.clock_jump_s

    @property
    def told_rad(self) -> Float:
        """Where the arm's motors want to be now: minus where it is, that is the force."""
        return self.controller.command(self.now_s)[0]

    def _advance(self) -> None:
        from rosgraph_msgs.msg import Clock

        from nodes import conversions

        now_s = self.now_s
        position, velocity = self.controller.command(now_s)
        position, velocity = position.copy(), velocity.copy()
        if position[0] > self.wall_rad:
            position[0], velocity[0] = self.wall_rad, 0.0
        self.measured_rad = position
        self._clock_out.publish(Clock(clock=conversions.to_time(now_s)))
        if self.publishing:
            self._joints_out.publish(
                conversions.to_joint_state(
                    MODEL.joint_names, MODEL.gripper_joints[0], position, velocity, 0.08, stamp_s=now_s
                )
            )

    def _on_arm(self, message: Any) -> None:
        from embodied.errors import UnsafeCommandError
        from nodes import conversions

        self.sent.append(message)
        stamp_s = conversions.from_time(message.header.stamp)
        begin_s = stamp_s if stamp_s > 0 else self.now_s
        try:
            time_s, position, velocity = conversions.from_points(message, MODEL.joint_names)
            self.controller.follow(begin_s + time_s, position, velocity, now_s=self.now_s)
        except UnsafeCommandError as error:
            self.refused.append((message, str(error)))

    def _on_status(self, message: Any) -> None:
        self.gate = json.loads(message.data)
        self.history.append(self.gate)

    def _spin(self) -> None:
        while not self._closing.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"{what}: gate {self.gate}, refused {self.refused[-1:]}"
            time.sleep(0.01)

    def call(self, service: str) -> Any:
        """Call ~/stop or ~/resume of the gate."""
        from std_srvs.srv import Trigger

        from nodes.common import Asking

        client = self.node.create_client(Trigger, f"gate_node/{service}")
        try:
            assert client.wait_for_service(PATIENCE_S), service
            asking = Asking(client, Trigger.Request())
            self.wait(asking.done, service)
            return asking.result()
        finally:
            self.node.destroy_client(client)

    def propose(self, motion_id: str) -> None:
        """The first joint goes 0.5 rad in 2 s, out or back, from where it is."""
        self._motion_id = motion_id
        self.send(motion_id, *swing(self.measured_rad, 0.5 if self.measured_rad[0] < 0.25 else -0.5), self.now_s)

    def send(self, name: str, time_s: Float, position_rad: Float, velocity_rad_s: Float, stamp_s: float) -> None:
        """Propose a motion with open fingers, whatever this agent wants."""
        from nodes import conversions

        motion = with_open_fingers(time_s, position_rad, velocity_rad_s)
        message = conversions.to_trajectory(
            motion, gripper_joint=MODEL.gripper_joints[0], motion_id=name, stamp_s=stamp_s
        )
        self._proposed = message
        self._proposal_out.publish(message)

    def say_again(self) -> None:
        """Propose the same once more, word for word."""
        self._proposal_out.publish(self._proposed)

    def start(self, motion_id: str) -> None:
        """Propose and wait until the arm is on its way."""
        self.wait(
            lambda: self.gate.get("blocked") == "" and self._proposal_out.get_subscription_count() > 0,
            "the gate is not ready",
        )
        begin_rad = self.measured_rad
        self.propose(motion_id)
        self.wait(lambda: self.gate["id"] == motion_id, "the gate did not answer")
        assert self.gate["state"] == "executing", self.gate
        self.wait(lambda: bool(np.abs(self.measured_rad - begin_rad).max() > 0.05), "nothing moves")

    def ended(self, motion_id: str) -> dict[str, Any]:
        """The first status of `motion_id` that ends it."""
        final = ("done", "refused", "aborted")

        def found() -> list[dict[str, Any]]:
            return [s for s in list(self.history) if s["id"] == motion_id and s["state"] in final]

        self.wait(lambda: bool(found()), f"{motion_id} does not end")
        return found()[0]

    def move_and_rest(self) -> float:
        """A motion from its beginning to its end; where the first joint stands then."""
        self.start("ours")
        assert self.ended("ours")["state"] == "done"
        self.come_to_rest()
        return float(self.measured_rad[0])

    def come_to_rest(self) -> None:
        """Wait until the arm is told one place, and has been for 0.3 s."""
        seen: list[Float] = []

        def still() -> bool:
            seen.append(self.told_rad)
            return len(seen) > 30 and np.ptp(seen[-30:], axis=0).max() < 1e-9

        self.wait(still, "the arm does not come to rest")

    def home(self) -> None:
        """Put the arm back, without a gate."""
        self.wall_rad = np.inf
        self.controller.hold(MODEL.home_rad)
