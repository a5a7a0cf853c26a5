# SPDX-License-Identifier: Apache-2.0
"""What the agent last saw and felt: subscriptions that store, and one observation out of them."""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image, JointState

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from embodied.arm import ArmModel
from embodied.errors import ObservationError, check_name
from embodied.types import DEPTH, JOINTS, Depth, Joints, Observation, Picture, Reading
from nodes import conversions
from nodes.common import LATCHED, NEWEST, RELIABLE

_GEOMETRY: dict[str, tuple[type, int]] = {"camera_info": (CameraInfo, 1), "pose": (PoseStamped, 40)}
"""Of each camera: topic -> type, and how many of its newest messages are kept."""
_QUIET = SubscriptionEventCallbacks(incompatible_qos=lambda _: None)


class Senses:
    """Keeps the newest joint states of an arm, and the newest messages of each sense that was opened.

    Callbacks only store; conversion is done by whoever asks, in their thread.
    """

    def __init__(self, node: Node, model: ArmModel) -> None:
        self._node, self._model = node, model
        self._lock = threading.Lock()
        self._open: list[str] = []
        self._newest: dict[str, deque[Any]] = {}  # by topic
        self._listen(_topic(JOINTS), JointState, 1)

    def open(self, names: Sequence[str]) -> None:
        """Subscribe to what the senses `names` are made of; one that is open already stays so.

        Raises UnknownNameError that lists the senses of the arm.
        """
        for name in names:
            check_name(f"sense of {self._model.name}", name, self._model.readings)
            if name in self._open:
                continue
            self._open.append(name)
            camera = self._camera(name)
            self._listen(_topic(name, camera), Image if camera else JointState, 1)
            for topic, (cls, kept) in (_GEOMETRY if camera else {}).items():
                # A pose that was said once, before anyone listened, and poses that come with the pictures:
                # what one subscription cannot hear, and would warn of, the other hears.
                qualities = (LATCHED, RELIABLE) if topic == "pose" else (NEWEST,)
                self._listen(f"camera/{camera}/{topic}", cls, kept, qualities)

    def forget(self) -> None:
        """Drop everything: the clock was set back, and stamps from before mean nothing now."""
        with self._lock:
            for messages in self._newest.values():
                messages.clear()

    def missing(self) -> list[str]:
        """Topics from which nothing has come."""
        with self._lock:
            return [topic for topic, messages in self._newest.items() if not messages]

    def feel(self) -> Joints:
        """The newest joint states alone. Raises ObservationError where they are missing or malformed."""
        with self._lock:
            messages = list(self._newest[_topic(JOINTS)])
        if not messages:
            raise ObservationError("nothing has come on joint_states")
        [joints] = messages
        position, velocity, width = conversions.from_joint_state(
            joints, self._model.joint_names, self._model.gripper_joints[0]
        )
        stamp_s = conversions.from_time(joints.header.stamp)
        return Joints(position_rad=position, velocity_rad_s=velocity, gripper_width_m=width, stamp_s=stamp_s)

    def observe(self) -> Observation:
        """The newest of everything. Raises ObservationError where something is missing or malformed."""
        with self._lock:
            newest = {topic: list(messages) for topic, messages in self._newest.items()}
        missing = [topic for topic, messages in newest.items() if not messages]
        if missing:
            raise ObservationError(f"nothing has come on {', '.join(missing)}")
        readings: dict[str, Reading] = {name: self._reading(name, newest) for name in self._open}
        return Observation(readings={JOINTS: self.feel(), **readings})

    def _camera(self, name: str) -> str:
        """The camera that the sense `name` is a part of; empty for other senses."""
        camera = name.removesuffix(DEPTH)
        return camera if camera in self._model.cameras else ""

    def _reading(self, name: str, newest: Mapping[str, Sequence[Any]]) -> Reading:
        camera = self._camera(name)
        [message] = newest[_topic(name, camera)]
        if not camera:
            return conversions.from_vector(message)
        [info], poses = (newest[f"camera/{camera}/{topic}"] for topic in _GEOMETRY)
        return _frame(name, message, info, poses, depth=name != camera)

    def _listen(self, topic: str, cls: type, kept: int, qualities: Sequence[QoSProfile] = (NEWEST,)) -> None:
        with self._lock:
            if topic in self._newest:
                return
            messages = self._newest[topic] = deque[Any](maxlen=kept)

        def store(message: Any) -> None:
            with self._lock:
                messages.append(message)

        for quality in qualities:
            events = _QUIET if len(qualities) > 1 else None
            self._node.create_subscription(cls, topic, store, quality, event_callbacks=events)


def _topic(name: str, camera: str = "") -> str:
    """Where the readings of a sense come from; `camera` is the one that it belongs to."""
    if camera:
        return f"camera/{camera}/{'image_raw' if name == camera else 'depth'}"
    return "joint_states" if name == JOINTS else f"sense/{name}"


def _frame(name: str, image: Image, info: CameraInfo, poses: Sequence[PoseStamped], *, depth: bool) -> Picture | Depth:
    stamp_s = conversions.from_time(image.header.stamp)
    if (info.width, info.height) != (image.width, image.height):
        raise ObservationError(
            f"camera {name}: the picture is {image.width} x {image.height},"
            f" camera_info is for {info.width} x {info.height}"
        )
    # A camera on the hand says its pose with every picture; one that is bolted down says it once.
    pose = min(poses, key=lambda pose: abs(conversions.from_time(pose.header.stamp) - stamp_s))
    geometry = {
        "intrinsics_px": conversions.from_camera_info(info),
        "world_from_camera": conversions.from_pose(pose),
    }
    if depth:
        return Depth(depth_m=conversions.from_depth(image), **geometry, stamp_s=stamp_s)
    return Picture(rgb=conversions.from_image(image), **geometry, stamp_s=stamp_s)
