# SPDX-License-Identifier: Apache-2.0
"""What the agent last saw and felt: subscriptions that store, and one observation out of them."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
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
from embodied.errors import ObservationError
from embodied.types import CameraFrame, Observation
from nodes import conversions
from nodes.common import LATCHED, NEWEST, RELIABLE

_CAMERA_TOPICS: dict[str, tuple[type, int]] = {
    "image_raw": (Image, 1),
    "camera_info": (CameraInfo, 1),
    "pose": (PoseStamped, 40),
}
"""Of each camera: topic -> type, and how many of its newest messages are kept."""
_QUIET = SubscriptionEventCallbacks(incompatible_qos=lambda _: None)


class Senses:
    """Keeps the newest joint states of an arm and the newest picture of each camera that was opened.

    Callbacks only store; conversion is done by whoever asks, in their thread.
    """

    def __init__(self, node: Node, model: ArmModel) -> None:
        self._node, self._model = node, model
        self._lock = threading.Lock()
        self._cameras: list[str] = []
        self._newest: dict[str, deque[Any]] = {}  # by topic
        self._listen("joint_states", JointState, 1)

    def open_cameras(self, names: Sequence[str]) -> None:
        """Subscribe to the cameras `names`; a camera that is open already stays so."""
        for name in names:
            if name in self._cameras:
                continue
            self._cameras.append(name)
            for topic, (cls, kept) in _CAMERA_TOPICS.items():
                # A pose that was said once, before anyone listened, and poses that come with the pictures:
                # what one subscription cannot hear, and would warn of, the other hears.
                qualities = (LATCHED, RELIABLE) if topic == "pose" else (NEWEST,)
                self._listen(f"camera/{name}/{topic}", cls, kept, qualities)

    def forget(self) -> None:
        """Drop everything: the clock was set back, and stamps from before mean nothing now."""
        with self._lock:
            for messages in self._newest.values():
                messages.clear()

    def missing(self) -> list[str]:
        """Topics from which nothing has come."""
        with self._lock:
            return [topic for topic, messages in self._newest.items() if not messages]

    def feel(self) -> Observation:
        """The newest joint states alone. Raises ObservationError where they are missing or malformed."""
        with self._lock:
            messages = list(self._newest["joint_states"])
        if not messages:
            raise ObservationError("nothing has come on joint_states")
        joints = messages[0]
        position, velocity, width = conversions.from_joint_state(
            joints, self._model.joint_names, self._model.gripper_joints[0]
        )
        return Observation(
            cameras={},
            joint_position_rad=position,
            joint_velocity_rad_s=velocity,
            gripper_width_m=width,
            stamp_s=conversions.from_time(joints.header.stamp),
        )

    def observe(self) -> Observation:
        """The newest of everything. Raises ObservationError where something is missing or malformed."""
        with self._lock:
            newest = {topic: list(messages) for topic, messages in self._newest.items()}
        missing = [topic for topic, messages in newest.items() if not messages]
        if missing:
            raise ObservationError(f"nothing has come on {', '.join(missing)}")
        frames = {}
        for name in self._cameras:
            (image,), (info,), poses = (newest[f"camera/{name}/{topic}"] for topic in _CAMERA_TOPICS)
            frames[name] = _frame(name, image, info, poses)
        return replace(self.feel(), cameras=frames)

    def _listen(self, topic: str, cls: type, kept: int, qualities: Sequence[QoSProfile] = (NEWEST,)) -> None:
        messages: deque[Any] = deque(maxlen=kept)
        with self._lock:
            self._newest[topic] = messages

        def store(message: Any) -> None:
            with self._lock:
                messages.append(message)

        for quality in qualities:
            events = _QUIET if len(qualities) > 1 else None
            self._node.create_subscription(cls, topic, store, quality, event_callbacks=events)


def _frame(name: str, image: Image, info: CameraInfo, poses: Sequence[PoseStamped]) -> CameraFrame:
    stamp_s = conversions.from_time(image.header.stamp)
    if (info.width, info.height) != (image.width, image.height):
        raise ObservationError(
            f"camera {name}: the picture is {image.width} x {image.height},"
            f" camera_info is for {info.width} x {info.height}"
        )
    # A camera on the hand says its pose with every picture; one that is bolted down says it once.
    pose = min(poses, key=lambda pose: abs(conversions.from_time(pose.header.stamp) - stamp_s))
    return CameraFrame(
        rgb=conversions.from_image(image),
        intrinsics_px=conversions.from_camera_info(info),
        world_from_camera=conversions.from_pose(pose),
        stamp_s=stamp_s,
    )
