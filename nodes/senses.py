# SPDX-License-Identifier: Apache-2.0
"""What the agent last saw and felt: subscriptions that store, and one observation out of them."""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from embodied.arm import ArmModel
from embodied.errors import ObservationError, check_name
from embodied.types import DEPTH, JOINTS, Depth, Joints, Observation, Picture, Reading
from nodes import conversions, pictures
from nodes.common import LATCHED, NEWEST, RELIABLE
from nodes.inlet import MOST_BYTES, Inlet
from nodes.joint_states import JointStates
from nodes.lenses import Lens, from_camera_info
from nodes.liveness import NOTED_S, Liveness
from nodes.stamps import SKEW_S, Stamps

_POSES = 40
"""So many of a camera's newest poses are kept."""
_BIG_BYTES = 1_500_000


class Senses:
    """Keeps what is known of an arm's joints, and the newest messages of each sense that was opened.

    Callbacks check and store; pixels are converted by whoever asks, in their thread.

    Args:
        joint_prefix: of the names in joint_states, where it cannot be found.
        allowed_s: how far stamps may be from the clock.
    """

    def __init__(
        self, node: Node, model: ArmModel, *, joint_prefix: str = "", allowed_s: Callable[[], float] = lambda: SKEW_S
    ) -> None:
        self._node, self._model, self._allowed_s = node, model, allowed_s
        self._lock = threading.RLock()
        self._open: list[str] = []
        self._newest: dict[str, deque[Any]] = {}  # by topic
        self._stamps: dict[str, Stamps] = {}  # by topic, of those whose stamps count
        self._alive: dict[str, Liveness] = {}  # by topic, of pictures
        self.joints = JointStates(node, model, prefix=joint_prefix, allowed_s=allowed_s)
        self._inlets: dict[str, list[Inlet]] = {}  # by topic; a picture may come on two

    @property
    def inlets(self) -> list[Inlet]:
        """The ways in, for their counts."""
        with self._lock:
            return [self.joints.inlet, *(inlet for each in self._inlets.values() for inlet in each)]

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
            if not camera:
                if name != JOINTS:
                    self._listen(_topic(name), JointState, conversions.from_vector, most_bytes=MOST_BYTES)
                continue
            topic, check = _topic(name, camera), pictures.check_image if name == camera else pictures.check_depth
            self._listen(topic, Image, check)
            if f"camera/{camera}/pose" in self._newest:
                continue
            rectified = self._node.resolve_topic_name(topic).rpartition("/")[2].startswith("image_rect")
            lens = partial(from_camera_info, rectified=rectified)
            self._listen(f"camera/{camera}/camera_info", CameraInfo, lens)
            # A pose that was said once, before anyone listened, and poses that come with the pictures: what one
            # subscription cannot hear, and would warn of, the other hears.
            self._listen(f"camera/{camera}/pose", PoseStamped, conversions.from_pose, LATCHED, RELIABLE, kept=_POSES)

    def forget(self) -> None:
        """Drop everything: the clock was set back, and stamps from before mean nothing now."""
        self.joints.forget()
        with self._lock:
            for messages in self._newest.values():
                messages.clear()
            for topic in self._alive:
                self._alive[topic] = Liveness()

    def missing(self) -> list[str]:
        """Topics from which nothing has come that could be used."""
        self._listen_to_compressed()
        with self._lock:
            return [topic for topic, messages in self._newest.items() if not messages]

    def trouble(self) -> str:
        """Why no observation can be made now; empty where one can. Big pictures are not looked into."""
        with self._lock:
            newest = [message for topic in self._alive for _, message in self._newest[topic]]
            if any(len(message.data) > _BIG_BYTES for message in newest):
                problem = self.joints.problem(gripper=True)
                return "; ".join([*([problem] if problem else []), *map(self._why, self.missing())])
        try:
            self.observe()
        except ObservationError as error:
            return str(error)
        return ""

    def feel(self) -> Joints:
        """The newest joint states alone. Raises ObservationError that says why they are not known."""
        return self.joints.read()

    def observe(self) -> Observation:
        """The newest of everything. Raises ObservationError where something is missing or malformed."""
        joints = self.feel()
        if missing := self.missing():
            raise ObservationError("; ".join(map(self._why, missing)))
        with self._lock:
            newest = {topic: list(messages) for topic, messages in self._newest.items()}
        readings: dict[str, Reading] = {JOINTS: joints}
        for name in self._open:
            try:
                readings[name] = self._reading(name, newest, joints)
            except ObservationError as error:
                raise ObservationError(f"{name}: {error}") from None
        return Observation(readings=readings)

    def unchanged(self) -> dict[str, float]:
        """For how long, by their stamps, pictures have been the same bit for bit; those that may be frozen."""
        with self._lock:
            same = {topic: alive.same_s for topic, alive in self._alive.items()}
        return {topic: same_s for topic, same_s in same.items() if same_s > NOTED_S}

    def without_stamps(self) -> list[str]:
        """Topics whose stamps are zero: the time of their arrival counts."""
        with self._lock:
            topics = [topic for topic, stamps in self._stamps.items() if stamps.zero]
        return [*(["joint_states"] if self.joints.zero_stamps else []), *topics]

    def refusal(self, name: str) -> str:
        """Why what comes of the sense `name` is refused, as the end of a sentence; empty where it is not."""
        inlets = [self.joints.inlet] if name == JOINTS else self._inlets[_topic(name, self._camera(name))]
        return "".join(f"; {inlet.complaint}" for inlet in inlets if inlet.complaint)

    def _why(self, topic: str) -> str:
        complaints = [inlet.complaint for inlet in self._inlets[topic] if inlet.complaint]
        return complaints[0] if complaints else f"nothing has come on {topic}"

    def _camera(self, name: str) -> str:
        """The camera that the sense `name` is a part of; empty for other senses."""
        camera = name.removesuffix(DEPTH)
        return camera if camera in self._model.cameras else ""

    def _reading(self, name: str, newest: Mapping[str, Sequence[Any]], joints: Joints) -> Reading:
        camera = self._camera(name)
        if name == JOINTS:
            return joints
        [(stamp_s, message)] = newest[_topic(name, camera)]
        if not camera:
            return replace(message, stamp_s=stamp_s)
        [(_, lens)], poses = (newest[f"camera/{camera}/{topic}"] for topic in ("camera_info", "pose"))
        # A camera on the hand says its pose with every picture; one that is bolted down says it once.
        _, pose = min(poses, key=lambda pose: abs(pose[0] - stamp_s))
        geometry = {"intrinsics_px": lens.intrinsics_px, "world_from_camera": pose.copy(), "stamp_s": stamp_s}
        geometry["world_from_camera"][:3, :3] = pose[:3, :3] @ lens.turn.T
        if name != camera:
            return Depth(depth_m=lens.undistort(_sized(pictures.from_depth(message), lens)), **geometry)
        self._check_alive(_topic(name, camera), lens, poses, pose)
        compressed = isinstance(message, CompressedImage)
        rgb = pictures.from_compressed(message) if compressed else pictures.from_image(message)
        pictures.check_content(rgb)
        return Picture(rgb=lens.undistort(_sized(rgb, lens)), **geometry)

    def _check_alive(self, topic: str, lens: Lens, poses: Sequence[Any], pose: Any) -> None:
        """Raises ObservationError for a picture that is not what the camera sees now."""
        with self._lock:
            alive = self._alive[topic]
            if alive.torn:
                raise ObservationError(f"the picture is torn: {alive.torn}")
            _, before = min(poses, key=lambda each: abs(each[0] - alive.since_s))
            size_px = (lens.width, lens.height)
            if alive.must_have_changed(self._model.chain, lens.intrinsics_px, size_px, (before, pose)):
                why = "and the arm has moved in it"
            elif alive.frozen():
                why = "and this camera has noise"
            else:
                return
            raise ObservationError(
                f"the picture has not changed for {alive.same_s:.1f} s although its stamps do {why}: it is frozen"
            )

    def _listen_to_compressed(self) -> None:
        """Where a camera publishes compressed pictures alone, hear those."""
        with self._lock:
            for name in self._open:
                topic = _topic(name, self._camera(name))
                if name not in self._model.cameras or self._newest[topic] or len(self._inlets[topic]) > 1:
                    continue
                raw = self._node.resolve_topic_name(topic)
                if not self._node.count_publishers(raw) and self._node.count_publishers(f"{raw}/compressed"):
                    self._listen(topic, CompressedImage, pictures.check_compressed, at=f"{raw}/compressed")

    def _listen(
        self,
        topic: str,
        cls: type,
        convert: Callable[[Any], Any],
        *qualities: QoSProfile,
        kept: int = 1,
        most_bytes: int | None = None,
        at: str = "",
    ) -> None:
        """Keep what `convert` makes of the messages on `topic`, with their stamps; `at` is where they come from."""
        with self._lock:
            messages = self._newest.setdefault(topic, deque[Any](maxlen=kept))
            if convert in (pictures.check_image, pictures.check_compressed):
                self._alive.setdefault(topic, Liveness())
        # How a camera is built and mounted does not age.
        stamps = None if cls in (CameraInfo, PoseStamped) else Stamps(self._node, self._allowed_s)

        def store(message: Any) -> None:
            converted = convert(message)
            with self._lock:
                if stamps is None:
                    stamp_s = conversions.from_time(message.header.stamp)
                else:
                    stamp_s = stamps.read(message.header.stamp, messages[-1][0] if messages else float("-inf"))
                messages.append((stamp_s, converted))
                if topic in self._alive:
                    self._alive[topic].note(message, stamp_s, self.joints.newest_rad())

        inlet = Inlet(self._node, cls, at or topic, store, *(qualities or (NEWEST,)), most_bytes=most_bytes)
        with self._lock:
            self._inlets.setdefault(topic, []).append(inlet)
            if stamps is not None:
                self._stamps[topic] = stamps


def _sized(pixels: Any, lens: Lens) -> Any:
    """The picture. Raises ObservationError unless camera_info is of its size."""
    height, width = pixels.shape[:2]
    if (lens.width, lens.height) != (width, height):
        raise ObservationError(f"the picture is {width} x {height}, camera_info is for {lens.width} x {lens.height}")
    return pixels


def _topic(name: str, camera: str = "") -> str:
    """Where the readings of a sense come from; `camera` is the one that it belongs to."""
    if camera:
        return f"camera/{camera}/{'image_raw' if name == camera else 'depth'}"
    return "joint_states" if name == JOINTS else f"sense/{name}"
