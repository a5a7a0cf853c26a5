# SPDX-License-Identifier: Apache-2.0
"""sim_node: the PyBullet world as an arm, cameras and a clock.

Publishes `/clock`, `joint_states`, for each camera `camera/<name>/image_raw`, `depth` (32FC1, metres),
`camera_info` and `pose` (geometry_msgs/PoseStamped of the optical frame in the world), and each other sense of
the arm as `sense/<name>` (sensor_msgs/JointState, names and efforts). Follows
`arm_controller/joint_trajectory` as ros2_control's joint trajectory controller does, and
`gripper_controller/commands` (std_msgs/Float64MultiArray, one value: the width in m).

`~/reset` starts an episode of the parameters `task`, `split` and `seed` as they are then; its answer is
JSON with the instruction and the objects. `~/score` answers JSON with `is_success` and `score`.
"""

import json
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from embodied.environments import load_environments
from embodied.errors import EmbodiedError, UnknownNameError, UnsafeCommandError
from embodied.types import ObjectState, Vector
from nodes import conversions
from nodes.arm_controller import ArmController
from nodes.arm_writers import GATE, MORE
from nodes.common import COMMAND, LATCHED, NEWEST, OK, RELIABLE, Diagnostics, declare, declare_arm, run, steady_s
from nodes.executor import make_executor
from nodes.notify import Notifier
from nodes.pace import Pace
from sim import scene
from sim.appearance import parse_appearance
from sim.arm import SimArm
from sim.senses import SENSORS, sense
from sim.state import state_of, verdict
from sim.tasks import Episode, Task, make_task
from sim.world import PHYSICS_HZ, World

_STEPS_PER_TICK = 2
_TICK_S = _STEPS_PER_TICK / PHYSICS_HZ
_JOINT_STATE_TICKS = 2
_CLOCK_GAP_S = 0.004
"""A simulator that runs ahead of steady time tells the time and its joints no more often than this."""
_LARGEST_PX = 4096
_LAG_S = 0.1
"""Where the machine cannot keep up, lost time beyond this is not caught up with."""

_FOUND_S, _HEARD_S = 0.3, 0.7
"""Within these another simulator is found, and its clock heard."""
_PATIENCE_S = 0.2
"""Between signs of life, however slow the simulated clock is."""
_TURNS = 4
"""Of the executor in a tick that is late: what was asked is answered also where the world takes all the time."""


class SimNode(Node):
    """One simulated arm at its table. `advance` moves the world; nothing else does."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("sim_node", **kwargs)
        load_environments()  # tasks, cameras and senses of installed packages
        self._model = model = declare_arm(self)
        for name, default, meaning in (
            ("task", "playground", "task that ~/reset starts; `embodied tasks` lists them"),
            ("split", "seen", "split that ~/reset samples from: seen, paraphrase or pair"),
            ("seed", 0, "seed of the episode that ~/reset starts"),
            ("appearance", "", "what pictures look like from ~/reset on, as table:wood,light:dim,camera:20deg"),
        ):
            declare(self, name, default, meaning, read_only=False)
        rate = "simulated seconds in one second; 0 is as fast as the machine can"
        self.rate = float(declare(self, "rate", 1.0, rate, low=0.0, high=100.0))
        self._pace = Pace(self.rate)
        gui = bool(declare(self, "gui", False, "open PyBullet's window"))
        hertz = declare(self, "camera_hz", 10.0, "pictures in a simulated second", low=0.1, high=60.0)
        cameras = declare(self, "cameras", list(model.cameras), "cameras to publish: front, wrist")
        self._size_px = int(declare(self, "picture_size_px", 224, "width and height of pictures"))
        if not 1 <= self._size_px <= _LARGEST_PX:
            raise EmbodiedError(f"picture_size_px must be 1 to {_LARGEST_PX}, not {self._size_px}")
        unknown = [name for name in cameras if name not in scene.CAMERAS]
        if unknown:
            raise UnknownNameError("camera", unknown[0], scene.CAMERAS)
        for name in model.senses:
            SENSORS.get(name)
        self._camera_ticks = max(1, round(1.0 / (hertz * _TICK_S)))

        self._world = World(model, gui=gui)
        self._controller = ArmController(model.home_rad, model.max_velocity_rad_s)
        self._width_m = model.gripper_width_m
        self._ticks = 0
        self._told_s = {"clock": -np.inf, "joints": -np.inf}
        self._reset_s = 0.0
        self._task, self._episode = self._start_episode()

        self._clock_out = self.create_publisher(ClockMessage, "/clock", COMMAND)
        self._joints_out = self.create_publisher(JointState, "joint_states", RELIABLE)
        self._cameras_out = {
            name: (
                self.create_publisher(Image, f"camera/{name}/image_raw", qos_profile_sensor_data),
                self.create_publisher(CameraInfo, f"camera/{name}/camera_info", qos_profile_sensor_data),
                self.create_publisher(PoseStamped, f"camera/{name}/pose", LATCHED),
                self.create_publisher(Image, f"camera/{name}/depth", qos_profile_sensor_data),
            )
            for name in cameras
        }
        self._senses_out = {name: self.create_publisher(JointState, f"sense/{name}", RELIABLE) for name in model.senses}
        self.create_subscription(JointTrajectory, "arm_controller/joint_trajectory", self._on_trajectory, COMMAND)
        self.create_subscription(Float64MultiArray, "gripper_controller/commands", self._on_gripper, COMMAND)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(Trigger, "~/score", self._on_score)
        self._diagnostics = Diagnostics(self, f"simulated {model.name}", self._report)

    @property
    def time_s(self) -> float:
        """Simulated seconds since this node began; a reset does not turn it back."""
        return self._ticks * _TICK_S

    def next_tick_s(self, due_s: float) -> float:
        """When, on the steady clock, the tick is due after the one that was due at `due_s`; the rate is not 0."""
        now_s = steady_s()
        rate = self._pace.rate(self.time_s, now_s)
        # Time that was lost is not caught up with while somebody is behind.
        lag_s = _LAG_S if rate == self.rate else 0.0
        return max(due_s, now_s - lag_s) + _TICK_S / rate

    def advance(self) -> None:
        """One tick of the world, and what is due to be published after it."""
        for step in range(_STEPS_PER_TICK):
            position, velocity = self._controller.command(self.time_s + (step + 1) / PHYSICS_HZ)
            self._world.step(position, velocity, self._width_m)
        self._ticks += 1
        if self._due("clock"):
            self._clock_out.publish(ClockMessage(clock=conversions.to_time(self.time_s)))
        if self._ticks % _JOINT_STATE_TICKS == 0:
            self._world.note_touches()
            if self._due("joints"):
                self._publish_joints()
        if self._ticks % self._camera_ticks == 0:
            self._publish_pictures()

    def _due(self, what: str) -> bool:
        now_s = steady_s()
        if now_s - self._told_s[what] < _CLOCK_GAP_S:
            return False
        self._told_s[what] = now_s
        return True

    def _publish_joints(self) -> None:
        names, finger = self._model.joint_names, self._model.gripper_joints[0]
        state = self._world.joint_state()
        self._joints_out.publish(conversions.to_joint_state(names, finger, *state, stamp_s=self.time_s))
        for name, publisher in self._senses_out.items():
            if publisher.get_subscription_count():
                reading = sense(self._world, name, self._size_px)
                assert isinstance(reading, Vector), name
                publisher.publish(conversions.to_vector(replace(reading, stamp_s=self.time_s)))

    def _publish_pictures(self) -> None:
        size_px, stamp_s = self._size_px, self.time_s
        for name, (image_out, info_out, pose_out, depth_out) in self._cameras_out.items():
            # A picture that nobody takes is not rendered: that is most of what a simulated second costs.
            wanted, wanted_depth = image_out.get_subscription_count(), depth_out.get_subscription_count()
            if not (wanted or wanted_depth):
                continue
            frame, frame_id = self._world.render(name, size_px), conversions.optical_frame(name)
            pose_out.publish(conversions.to_pose(frame.world_from_camera, stamp_s=stamp_s))
            info = conversions.to_camera_info(
                frame.intrinsics_px, width=size_px, height=size_px, stamp_s=stamp_s, frame_id=frame_id
            )
            info_out.publish(info)
            if wanted:
                image_out.publish(conversions.to_image(frame.rgb, stamp_s=stamp_s, frame_id=frame_id))
            if wanted_depth:
                depth_m = self._world.depth(name, size_px).depth_m
                depth_out.publish(conversions.to_depth(depth_m, stamp_s=stamp_s, frame_id=frame_id))

    def _on_trajectory(self, message: JointTrajectory) -> None:
        stamp_s = conversions.from_time(message.header.stamp)
        begin_s = stamp_s if stamp_s > 0 else self.time_s
        if begin_s < self._reset_s:
            return  # It was meant for the scene before the reset.
        try:
            time_s, position, velocity = conversions.from_points(message, self._model.joint_names)
            self._controller.follow(begin_s + time_s, position, velocity, now_s=self.time_s)
            mark = message.header.frame_id
            more = mark.startswith(GATE) and mark.endswith(MORE)
            self._pace.lead(begin_s, begin_s + float(time_s[-1]) if more else begin_s, steady_s())
        except UnsafeCommandError as error:
            self.get_logger().warning(f"refused: {error}", throttle_duration_sec=1.0)

    def _on_gripper(self, message: Float64MultiArray) -> None:
        values = list(message.data)
        widest = self._model.gripper_width_m
        if len(values) != 1 or not 0.0 <= values[0] <= widest:
            self.get_logger().warning(
                f"refused: a gripper command is one width of 0 to {widest} m, not {values}", throttle_duration_sec=1.0
            )
            return
        self._width_m = float(values[0])

    def _start_episode(self) -> tuple[Task, Episode]:
        task = make_task(str(self.get_parameter("task").value))
        seed = int(self.get_parameter("seed").value)
        if seed < 0:
            raise EmbodiedError(f"seed must be 0 or more, not {seed}")
        appearance = parse_appearance(str(self.get_parameter("appearance").value), seed)
        episode = task.sample(np.random.default_rng(seed), str(self.get_parameter("split").value))
        self._world.set_objects(episode.objects, appearance)
        start = SimArm(self._world, ())
        if episode.before is not None:
            start.execute(episode.before)
        self._controller.hold(start.commanded_rad)
        self._width_m = start.told_width_m
        self._reset_s = self.time_s
        return task, episode

    def _on_reset(self, *_: object) -> Trigger.Response:
        try:
            self._task, self._episode = self._start_episode()
        except EmbodiedError as error:
            return Trigger.Response(success=False, message=str(error))
        scene = {
            "task": self._episode.task,
            "split": self._episode.split,
            "seed": int(self.get_parameter("seed").value),
            "instruction": self._episode.instruction,
            "earlier": self._episode.earlier,
            "objects": _plain(self._world.objects()),
        }
        return Trigger.Response(success=True, message=json.dumps(scene))

    def _on_score(self, *_: object) -> Trigger.Response:
        state = state_of(self._world)
        score = verdict(self._task, self._episode, state) | {
            "held": state.held,
            "touched": sorted(state.touched),
            "objects": _plain(state.objects),
        }
        return Trigger.Response(success=True, message=json.dumps(score))

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        return OK, f"simulating {self._episode.task}", {"time_s": f"{self.time_s:.1f}", "rate": self.rate}

    def destroy_node(self) -> None:
        """Close the world with the node."""
        self._world.close()
        super().destroy_node()


def _plain(objects: Mapping[str, ObjectState]) -> dict[str, dict[str, object]]:
    return {
        name: {"kind": item.kind, "colour": item.colour, "position_m": item.position_m.round(4).tolist()}
        for name, item in objects.items()
    }


def refuse_second_clock(node: SimNode, executor: Executor) -> None:
    """Raises EmbodiedError where another simulator tells the time under the same name.

    Only a clock that is heard counts: of a simulator that was killed, the others still know the publisher for
    a while.
    """
    heard: list[ClockMessage] = []
    clock = node.create_subscription(ClockMessage, "/clock", heard.append, NEWEST)
    began_s = steady_s()
    while not heard and steady_s() - began_s < (_HEARD_S if clock.get_publisher_count() > 1 else _FOUND_S):
        executor.spin_once(timeout_sec=0.02)
    if heard:
        raise EmbodiedError(
            f"another simulator tells the time on {clock.topic_name}: end it, or give this one another "
            "ROS_DOMAIN_ID or, as an argument of its launch, another namespace"
        )
    node.destroy_subscription(clock)


def serve(node: SimNode, stopping: threading.Event) -> None:
    """Run the world at its rate and answer in between, until told to end."""
    executor, notifier = make_executor(), Notifier()
    executor.add_node(node)
    refuse_second_clock(node, executor)
    node.get_logger().info(f"ready: {node.get_parameter('task').value}, rate {node.rate:g}")
    due_s = steady_s()
    while not stopping.is_set():
        node.advance()
        notifier.beat()
        for _ in range(_TURNS):
            executor.spin_once(timeout_sec=0)
        if node.rate == 0:
            continue
        due_s = node.next_tick_s(due_s)
        while (left_s := due_s - steady_s()) > 0 and not stopping.is_set():
            notifier.beat()  # at a low rate the next tick is far away
            executor.spin_once(timeout_sec=min(left_s, _PATIENCE_S))
    executor.shutdown()


def main() -> int:
    """Console entry point."""
    return run(SimNode, serve)


if __name__ == "__main__":
    sys.exit(main())
