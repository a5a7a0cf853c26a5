# SPDX-License-Identifier: Apache-2.0
"""One observation out of what came: which messages count, and what is said of those that do not."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

pytest.importorskip("rclpy")

from sensor_msgs.msg import CompressedImage, JointState

from embodied.arm import arm_model
from embodied.errors import ObservationError
from embodied.types import Picture, Vector
from nodes import conversions
from nodes.senses import Senses
from tests.nodes.stand_in import Node

MODEL = arm_model("panda")
K = np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]])
RGB = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
FAR = np.eye(4)
FAR[:3, 3] = (0, 0, 5.0)  # looks away from the arm


class Sensing:
    """Senses of a node without a graph, and who tells them something."""

    def __init__(self, *names: str, **topics: str) -> None:
        self.node = Node()
        resolve = self.node.resolve_topic_name
        self.node.resolve_topic_name = lambda topic: topics.get("picture", resolve(topic))  # type: ignore[method-assign]
        self.senses = Senses(self.node, MODEL)
        self.senses.open(names or ["front"])

    def tell(self, topic: str, message: Any) -> None:
        inlets = {inlet.topic: inlet for inlet in self.senses.inlets}
        inlets[topic].take(message)

    def tell_joints(self, stamp_s: float = 100.0, q: np.ndarray = MODEL.home_rad) -> None:
        finger = MODEL.gripper_joints[0]
        message = conversions.to_joint_state(MODEL.joint_names, finger, q, 0 * q, 0.08, stamp_s=stamp_s)
        self.tell("joint_states", message)

    def tell_geometry(self, pose: np.ndarray = FAR, **lens: Any) -> None:
        info = conversions.to_camera_info(K, width=64, height=48, stamp_s=0.0, frame_id="")
        for name, value in lens.items():
            setattr(info, name, value)
        self.tell("camera/front/camera_info", info)
        self.tell("camera/front/pose", conversions.to_pose(pose, stamp_s=0.0))

    def tell_picture(self, rgb: np.ndarray = RGB, stamp_s: float = 100.0) -> None:
        self.tell("camera/front/image_raw", conversions.to_image(rgb, stamp_s=stamp_s, frame_id=""))

    def refused(self) -> str:
        with pytest.raises(ObservationError) as caught:
            self.senses.observe()
        assert self.senses.trouble() == str(caught.value)
        return str(caught.value)


def test_what_is_missing_is_told_from_what_was_refused() -> None:
    sensing = Sensing()
    assert sensing.refused() == "no joint_states have come: I do not know where the arm is"
    sensing.tell_joints()
    assert sensing.refused() == (
        "nothing has come on camera/front/image_raw; nothing has come on camera/front/camera_info;"
        " nothing has come on camera/front/pose"
    )
    sensing.tell_geometry()
    sensing.tell_picture(stamp_s=3700.0)
    assert "a message on camera/front/image_raw came but was refused because its stamp is 3600.0 s" in sensing.refused()
    sensing.tell_picture()
    np.testing.assert_array_equal(sensing.senses.observe().picture("front").rgb, RGB)
    assert sensing.senses.trouble() == ""
    sensing.tell_picture(stamp_s=99.5)
    assert sensing.senses.observe().picture("front").stamp_s == 100.0, "a stamp that goes back is refused"
    sensing.tell_picture(RGB[:24], 100.5)
    assert "the picture is 64 x 24, camera_info is for 64 x 48" in sensing.refused()


def test_zero_stamps_count_as_those_of_the_arrival_and_are_told() -> None:
    sensing = Sensing("front", "touch")
    sensing.tell_joints()
    sensing.tell_geometry()
    sensing.tell_picture(stamp_s=0.0)
    sensing.tell("sense/touch", JointState(name=["left_N"], effort=[1.5]))
    seen = sensing.senses.observe()
    assert [seen.readings[name].stamp_s for name in ("front", "touch")] == [100.0, 100.0]
    assert isinstance(seen.readings["touch"], Vector)
    assert sensing.senses.without_stamps() == ["camera/front/image_raw", "sense/touch"]


def test_a_compressed_picture_is_heard_where_only_that_is_published() -> None:
    sensing = Sensing(picture="/left/image_rect_color")
    sensing.tell_joints()
    sensing.tell_geometry()
    compressed = "/left/image_rect_color/compressed"
    sensing.node.publishers = {"/left/image_rect_color": 1, compressed: 1}
    sensing.refused()
    assert compressed not in sensing.node.heard
    sensing.node.publishers = {compressed: 1}
    sensing.refused()
    assert compressed in sensing.node.heard
    file = io.BytesIO()
    PillowImage.fromarray(RGB).save(file, "PNG")
    sensing.tell(compressed, CompressedImage(format="png", data=b"GIF89a"))
    assert f"a message on {compressed} came but was refused because" in sensing.refused()
    sensing.tell(compressed, CompressedImage(format="png", data=file.getvalue()))
    np.testing.assert_array_equal(sensing.senses.observe().picture("front").rgb, RGB)


def test_a_picture_whose_name_says_so_is_rectified() -> None:
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    p = np.hstack([K * [[2], [2], [1]], np.zeros((3, 1))]).ravel()
    seen = []
    for topic in ("/left/image_rect", "/left/image_raw"):
        sensing = Sensing(picture=topic)
        sensing.tell_joints()
        sensing.tell_picture()
        sensing.tell_geometry(p=p, r=turn.ravel(), d=[-0.3, 0.0, 0.0, 0.0, 0.0])
        seen.append(sensing.senses.observe().picture("front"))
    assert [picture.intrinsics_px[0, 0] for picture in seen] == [120.0, 60.0]
    np.testing.assert_array_equal(seen[0].rgb, RGB)
    assert (seen[1].rgb != RGB).mean() > 0.3, "undistorted"
    np.testing.assert_allclose(seen[0].world_from_camera[:3, :3], turn.T)
    np.testing.assert_allclose(seen[1].world_from_camera[:3, :3], np.eye(3))


@pytest.mark.parametrize(("rgb", "words"), [(0 * RGB, "front: the picture is black"), (0 * RGB + 99, "is blank")])
def test_a_picture_that_shows_nothing_is_not_acted_upon(rgb: np.ndarray, words: str) -> None:
    sensing = Sensing()
    sensing.tell_joints()
    sensing.tell_geometry()
    sensing.tell_picture(rgb)
    assert words in sensing.refused()


def test_a_frozen_picture_is_refused_once_the_arm_has_moved_in_it() -> None:
    camera = np.eye(4)
    camera[:3, :3] = np.diag([1.0, -1.0, -1.0])  # looks down on the hand
    camera[:3, 3] = MODEL.home_pose[:3, 3] + [0, 0, 1.0]
    sensing = Sensing()
    sensing.tell_geometry(camera)
    for i in range(20):
        sensing.tell_joints(99.0 + 0.05 * i)
        sensing.tell_picture(stamp_s=99.0 + 0.05 * i)
    assert isinstance(sensing.senses.observe().readings["front"], Picture), "a still scene may look so"
    assert sensing.senses.unchanged() == {"camera/front/image_raw": pytest.approx(0.95)}
    sensing.tell_joints(100.1, MODEL.home_rad + 0.2)
    sensing.tell_picture(stamp_s=100.2)
    text = "the picture has not changed for 1.2 s although its stamps do and the arm has moved in it: it is frozen"
    assert sensing.refused() == f"front: {text}"
    sensing.tell_picture(RGB + 1, stamp_s=100.3)
    assert sensing.senses.trouble() == ""
