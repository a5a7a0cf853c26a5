# SPDX-License-Identifier: Apache-2.0
"""What the agent last saw and felt: subscriptions that store, and one observation out of them."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
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

_POSES_KEPT = 40
_QUIET = SubscriptionEventCallbacks(incompatible_qos=lambda _: None)


class _Camera:
    """The newest messages of one camera."""

    def __init__(self) -> None:
        self.image: Image | None = None
        self.info: CameraInfo | None = None
        self.poses: deque[PoseStamped] = deque(maxlen=_POSES_KEPT)


class Senses:
    """Keeps the newest joint states of an arm and the newest picture of each camera that was opened.

    Callbacks only store; conversion is done by whoever asks, in their thread.
    """

    def __init__(self, node: Node, model: ArmModel) -> None:
        self._node, self._model = node, model
        self._lock = threading.Lock()
        self._joints: JointState | None = None
        self._cameras: dict[str, _Camera] = {}
        node.create_subscription(JointState, "joint_states", self._on_joints, NEWEST)

    def open_cameras(self, names: Sequence[str]) -> None:
        """Subscribe to the cameras `names`; a camera that is open already stays so."""
        for name in names:
            if name in self._cameras:
                continue
            self._cameras[name] = _Camera()
            topic, listen = f"camera/{name}", self._node.create_subscription
            listen(Image, f"{topic}/image_raw", partial(self._on_image, name), NEWEST)
            listen(CameraInfo, f"{topic}/camera_info", partial(self._on_info, name), NEWEST)
            # A pose that was said once, before anyone listened, and poses that come with the pictures: what
            # one subscription cannot hear, and would warn of, the other hears.
            for quality in (LATCHED, RELIABLE):
                on_pose = partial(self._on_pose, name)
                listen(PoseStamped, f"{topic}/pose", on_pose, quality, event_callbacks=_QUIET)

    def forget(self) -> None:
        """Drop everything: the clock was set back, and stamps from before mean nothing now."""
        with self._lock:
            self._joints = None
            for name in self._cameras:
                self._cameras[name] = _Camera()

    def missing(self) -> list[str]:
        """Topics from which nothing has come."""
        with self._lock:
            return self._missing()

    def feel(self) -> Observation:
        """The newest joint states alone. Raises ObservationError where they are missing or malformed."""
        with self._lock:
            joints = self._joints
        if joints is None:
            raise ObservationError("nothing has come on joint_states")
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

    def _missing(self) -> list[str]:
        topics = [] if self._joints is not None else ["joint_states"]
        for name, camera in self._cameras.items():
            parts = {"image_raw": camera.image, "camera_info": camera.info, "pose": camera.poses or None}
            topics += [f"camera/{name}/{part}" for part, value in parts.items() if value is None]
        return topics

    def observe(self) -> Observation:
        """The newest of everything. Raises ObservationError where something is missing or malformed."""
        with self._lock:
            missing = self._missing()
            newest = {name: (c.image, c.info, list(c.poses)) for name, c in self._cameras.items()}
        if missing:
            raise ObservationError(f"nothing has come on {', '.join(missing)}")
        frames = {
            name: _frame(name, image, info, poses)
            for name, (image, info, poses) in newest.items()
            if image is not None and info is not None
        }
        return replace(self.feel(), cameras=frames)

    def _on_joints(self, message: JointState) -> None:
        with self._lock:
            self._joints = message

    def _on_image(self, name: str, message: Image) -> None:
        with self._lock:
            self._cameras[name].image = message

    def _on_info(self, name: str, message: CameraInfo) -> None:
        with self._lock:
            self._cameras[name].info = message

    def _on_pose(self, name: str, message: PoseStamped) -> None:
        with self._lock:
            self._cameras[name].poses.append(message)


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
