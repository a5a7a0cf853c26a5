# SPDX-License-Identifier: Apache-2.0
"""saboteur: a process that hands on what the nodes say to each other, as badly as it is told, or speaks itself.

python -m nodes.faults.saboteur [relay]
"""

import heapq
import json
import os
import random
import signal
import sys
import threading
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header, String
from trajectory_msgs.msg import JointTrajectory

from nodes.common import COMMAND, LATCHED, RELIABLE, steady_s, temporary_node
from nodes.conversions import to_arm_trajectory
from nodes.faults.streams import CONTROL, HEARTBEAT, IMAGE, JOINTS, PROPOSAL, STATE, STREAMS

_TYPES: Mapping[str, tuple[type, Any]] = {
    IMAGE: (Image, qos_profile_sensor_data),
    "camera/front/camera_info": (CameraInfo, qos_profile_sensor_data),
    "camera/front/pose": (PoseStamped, LATCHED),
    JOINTS: (JointState, RELIABLE),
    HEARTBEAT: (Header, qos_profile_sensor_data),
    PROPOSAL: (JointTrajectory, RELIABLE),
}
_MALFORMED = b"\x00\x01\x00\x00\xff\xff\xff\x7fjunk"
"""No String: it says that it is longer than it is."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the saboteur is to do; the default is to hand everything on at once, as it came."""

    drop: float = 0.0
    """Share of pictures, joint states and heartbeats that get lost."""
    delay_s: float = 0.0
    delayed: list[str] = field(default_factory=list)
    """The topics that come late."""
    picture: str = ""
    """frozen, black, torn, encoding, size; empty: as it is."""
    jump_s: int = 0
    """Added to the stamps on the topics `jumped`."""
    jumped: list[str] = field(default_factory=list)
    flood_hz: float = 0.0
    """Malformed messages on `instruction`."""
    write_hz: float = 0.0
    """Trajectories on the arm's topic, to a place `write_rad` (N,) from where the arm is."""
    write_rad: float = 0.3
    beat_as: str = ""
    """A heartbeat that is forged in the name of this motion."""


class Saboteur:
    """Carries out one order at a time."""

    def __init__(self, node: Node, *, relay: bool) -> None:
        self._node, self.order, self._text = node, Order(), ""
        self._late: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._random = random.Random(0)
        self._shades = np.random.default_rng(0)
        self._kept: Any = None
        self._joints: JointState | None = None
        self._due_s: dict[str, float] = {}
        self._out: dict[str, Any] = {}
        for stream in STREAMS if relay else ():
            cls, quality = _TYPES[stream.topic]
            self._out[stream.topic] = node.create_publisher(cls, stream.topic, quality)
            node.create_subscription(cls, stream.raw, partial(self._on_message, stream.topic), quality, raw=True)
        if not relay:
            node.create_subscription(JointState, JOINTS, self._on_joints, qos_profile_sensor_data)
        self._state_out = node.create_publisher(String, STATE, LATCHED)
        self._words_out = node.create_publisher(String, "instruction", RELIABLE)
        node.create_subscription(String, CONTROL, self._on_order, LATCHED)
        self._rogue_out: Any = None
        self._beat_out: Any = None

    def step(self, executor: SingleThreadedExecutor) -> None:
        """Do what is due, then listen until something is due again."""
        now_s = steady_s()
        while self._late and self._late[0][0] <= now_s:
            heapq.heappop(self._late)[2]()
        for hertz, act in (
            (self.order.flood_hz, self._flood),
            (self.order.write_hz, self._write),
            (20.0 if self.order.beat_as else 0.0, self._beat),
        ):
            if hertz and now_s >= self._due_s.get(act.__name__, 0.0):
                self._due_s[act.__name__] = max(self._due_s.get(act.__name__, 0.0) + 1.0 / hertz, now_s - 0.05)
                act()
        wait_s = 0.0005 if self.order.flood_hz else 0.01
        executor.spin_once(timeout_sec=min(wait_s, max(0.0, self._late[0][0] - now_s)) if self._late else wait_s)

    def _on_order(self, message: String) -> None:
        self.order, self._kept = Order(**json.loads(message.data)), None
        self._random = random.Random(0)
        # A publisher that only exists is a stranger to the gate already.
        if self.order.write_hz and self._rogue_out is None:
            self._rogue_out = self._node.create_publisher(JointTrajectory, "arm_controller/joint_trajectory", COMMAND)
        elif not self.order.write_hz and self._rogue_out is not None:
            self._node.destroy_publisher(self._rogue_out)
            self._rogue_out = None
        if self.order.beat_as and self._beat_out is None:
            self._beat_out = self._node.create_publisher(Header, HEARTBEAT, qos_profile_sensor_data)
        self._state_out.publish(message)

    def _on_joints(self, message: JointState) -> None:
        self._joints = message

    def _on_message(self, topic: str, data: bytes) -> None:
        order = self.order
        if topic in (IMAGE, JOINTS, HEARTBEAT) and self._random.random() < order.drop:
            return
        send = partial(self._out[topic].publish, self._spoil(topic, data))
        if order.delay_s and topic in order.delayed:
            self._count += 1
            late: tuple[float, int, Callable[[], None]] = (steady_s() + order.delay_s, self._count, send)
            heapq.heappush(self._late, late)
        else:
            send()

    def _spoil(self, topic: str, data: bytes) -> Any:
        order = self.order
        jumps = order.jump_s and topic in order.jumped
        # A camera has noise; the simulated one has not, and without it a picture that stays the same may be true.
        if not (jumps or topic == IMAGE):
            return data
        message: Any = deserialize_message(data, _TYPES[topic][0])
        if jumps:
            message.header.stamp.sec += order.jump_s
        return self._paint(message) if topic == IMAGE else message

    def _paint(self, message: Image) -> Image:
        pixels = np.frombuffer(message.data, np.uint8)
        if self.order.picture == "black":
            pixels = np.zeros_like(pixels)
        noise = self._shades.integers(-1, 2, pixels.size, dtype=np.int8)
        pixels = np.clip(pixels.astype(np.int16) + noise, 0, 255).astype(np.uint8)
        if self._kept is None:
            self._kept = pixels
        what = self.order.picture
        if what == "frozen":
            pixels = self._kept
        elif what == "torn":  # the lower half does not come any more
            pixels = np.concatenate([pixels[: pixels.size // 2], self._kept[pixels.size // 2 :]])
        elif what == "encoding":
            message.encoding = "rgb9"
        elif what == "size":
            message.height += 1
        message.data = array("B", pixels.tobytes())
        return message

    def _flood(self) -> None:
        self._words_out.publish(_MALFORMED)

    def _write(self) -> None:
        if self._joints is None:
            return
        names, place = list(self._joints.name[:-1]), np.array(self._joints.position[:-1])
        place[0] += self.order.write_rad * (-1 if place[0] > 0 else 1)
        still = np.zeros_like(place)
        self._rogue_out.publish(to_arm_trajectory(names, np.array([1.0]), place[None], still[None], stamp_s=0.0))

    def _beat(self) -> None:
        self._beat_out.publish(Header(stamp=self._node.get_clock().now().to_msg(), frame_id=self.order.beat_as))


def main() -> int:
    """Be the saboteur until SIGTERM, or until whoever started it has gone."""
    stopping, parent = threading.Event(), os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with temporary_node("saboteur") as node:
        saboteur, executor = Saboteur(node, relay="relay" in sys.argv), SingleThreadedExecutor()
        executor.add_node(node)
        while not stopping.is_set() and os.getppid() == parent:
            saboteur.step(executor)
        executor.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
