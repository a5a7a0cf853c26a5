# SPDX-License-Identifier: Apache-2.0
"""Messages and back: nothing is lost, and nothing malformed comes in."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, Image, JointState

from embodied.errors import ObservationError, UnsafeCommandError
from embodied.types import JointTrajectory, Vector
from nodes import conversions

NAMES = ("base", "elbow", "wrist")
FINGER = "finger"


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@given(seconds=st.floats(0, 2**31 - 1))
def test_time_survives_to_the_nanosecond_that_a_float_holds(seconds: float) -> None:
    assert conversions.from_time(conversions.to_time(seconds)) == pytest.approx(seconds, abs=1e-6)


def test_a_picture_survives() -> None:
    message = conversions.to_image(picture(), stamp_s=1.5, frame_id="camera_front_optical_frame")
    assert (message.width, message.height, message.step, message.encoding) == (7, 5, 21, "rgb8")
    np.testing.assert_array_equal(conversions.from_image(message), picture())


def test_other_encodings_and_padded_rows_are_read() -> None:
    rgb = picture()
    bgra = np.dstack([rgb[:, :, ::-1], np.full((5, 7, 1), 255, np.uint8)])
    padded = np.pad(bgra.reshape(5, 28), ((0, 0), (0, 4)))
    message = Image(height=5, width=7, step=32, encoding="bgra8", data=padded.tobytes())
    np.testing.assert_array_equal(conversions.from_image(message), rgb)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "16UC1"}, "I read bgr8, bgra8, mono8, rgb8, rgba8"),
        ({"height": 6}, "not whole"),
        ({"width": 8}, "not whole"),
        ({"height": 0, "data": b""}, "not whole"),
    ],
)
def test_a_broken_picture_is_refused(change: dict[str, object], words: str) -> None:
    message = conversions.to_image(picture(), stamp_s=0.0, frame_id="")
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ObservationError, match=words):
        conversions.from_image(message)


def test_camera_info_survives_and_refuses_what_is_not_a_pinhole() -> None:
    matrix = np.array([[300.0, 0, 112], [0, 300.0, 111], [0, 0, 1]])
    message = conversions.to_camera_info(matrix, width=224, height=224, stamp_s=0.0, frame_id="f")
    np.testing.assert_array_equal(conversions.from_camera_info(message), matrix)
    message.d = [0.1, 0.0, 0.0, 0.0, 0.0]
    with pytest.raises(ObservationError, match="distorted"):
        conversions.from_camera_info(message)
    with pytest.raises(ObservationError, match="not calibrated"):
        conversions.from_camera_info(CameraInfo())


@given(angles=st.tuples(*[st.floats(-math.pi, math.pi)] * 3))
def test_a_pose_survives(angles: tuple[float, float, float]) -> None:
    pose = np.eye(4)
    for axis, angle in enumerate(angles):
        c, s = math.cos(angle), math.sin(angle)
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        turn = np.eye(3)
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
        pose[:3, :3] = pose[:3, :3] @ turn
    pose[:3, 3] = (0.1, -2.0, 3.0)
    np.testing.assert_allclose(conversions.from_pose(conversions.to_pose(pose, stamp_s=0.0)), pose, atol=1e-9)


def test_a_pose_that_is_none_is_refused() -> None:
    message = PoseStamped()
    message.pose.orientation.w = 0.0
    with pytest.raises(ObservationError, match="unit quaternion"):
        conversions.from_pose(message)
    message.pose.orientation.w = math.nan
    with pytest.raises(ObservationError, match="unit quaternion"):
        conversions.from_pose(message)


def test_joint_states_come_in_any_order() -> None:
    position, velocity = np.arange(3) * 0.1, np.arange(3) * -0.2
    message = conversions.to_joint_state(NAMES, FINGER, position, velocity, 0.06, stamp_s=2.0)
    shuffled = JointState(
        name=["another_joint", *reversed(message.name)],
        position=[9.0, *reversed(message.position)],
        velocity=[9.0, *reversed(message.velocity)],
    )
    for given_message in (message, shuffled):
        q, qd, width = conversions.from_joint_state(given_message, NAMES, FINGER)
        np.testing.assert_allclose(q, position)
        np.testing.assert_allclose(qd, velocity)
        assert width == pytest.approx(0.06)


def test_joint_states_that_say_nothing_are_refused() -> None:
    message = conversions.to_joint_state(NAMES, FINGER, np.zeros(3), np.zeros(3), 0.0, stamp_s=0.0)
    message.position[2] = math.nan
    with pytest.raises(ObservationError, match="not finite"):
        conversions.from_joint_state(message, NAMES, FINGER)
    message.name[1] = "shoulder"
    with pytest.raises(ObservationError, match="lacks elbow"):
        conversions.from_joint_state(message, NAMES, FINGER)
    message.name[1] = "base"
    with pytest.raises(ObservationError, match="names a joint twice"):
        conversions.from_joint_state(message, NAMES, FINGER)
    message.name = message.name[:-1]
    with pytest.raises(ObservationError):
        conversions.from_joint_state(message, NAMES, FINGER)


def motion() -> JointTrajectory:
    rng = np.random.default_rng(1)
    return JointTrajectory(
        joint_names=NAMES,
        time_s=np.array([0.1, 0.2, 1.4]),
        position_rad=rng.normal(size=(3, 3)),
        velocity_rad_s=rng.normal(size=(3, 3)),
        gripper_width_m=np.array([0.08, 0.0, 0.04]),
    )


def test_a_trajectory_survives_in_any_order_of_joints() -> None:
    message = conversions.to_trajectory(motion(), gripper_joint=FINGER, motion_id="m-1", stamp_s=5.0)
    assert message.joint_names[-1] == FINGER
    assert message.points[0].positions[-1] == pytest.approx(0.04), "half of the width"
    assert message.header.frame_id == "m-1"
    message.joint_names = message.joint_names[::-1]
    for point in message.points:
        point.positions, point.velocities = point.positions[::-1], point.velocities[::-1]
    back = conversions.from_trajectory(message, NAMES, FINGER)
    for name in ("time_s", "position_rad", "velocity_rad_s", "gripper_width_m"):
        np.testing.assert_allclose(getattr(back, name), getattr(motion(), name), atol=1e-9)


def test_a_trajectory_for_another_arm_is_refused() -> None:
    message = conversions.to_trajectory(motion(), gripper_joint=FINGER, motion_id="", stamp_s=0.0)
    message.points[1].velocities = message.points[1].velocities[:-1]
    with pytest.raises(UnsafeCommandError, match="point 1 has 4 positions and 3 velocities"):
        conversions.from_trajectory(message, NAMES, FINGER)
    message.joint_names = [*message.joint_names[:-1], "base"]
    with pytest.raises(UnsafeCommandError, match="expected"):
        conversions.from_trajectory(message, NAMES, FINGER)


def test_depth_survives_the_way_through_a_message() -> None:
    depth = np.array([[0.5, np.inf, 1.25], [2.0, 0.01, 3.5]], dtype=np.float32)
    message = conversions.to_depth(depth, stamp_s=2.5, frame_id="optical")
    assert (message.encoding, message.step, message.header.stamp.sec) == ("32FC1", 12, 2)
    assert np.array_equal(conversions.from_depth(message), depth)


@pytest.mark.parametrize("big", [False, True])
def test_depth_of_a_driver_that_speaks_in_millimetres(big: bool) -> None:
    rows = np.array([[500, 0], [65535, 1]], dtype=">u2" if big else "<u2")
    padded = np.hstack([rows.view(np.uint8).reshape(2, 4), np.full((2, 3), 9, dtype=np.uint8)])
    message = Image(height=2, width=2, encoding="16UC1", step=7, is_bigendian=int(big), data=padded.tobytes())
    seen = conversions.from_depth(message)
    np.testing.assert_allclose(seen, [[0.5, np.inf], [65.535, 0.001]], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"encoding": "rgb8"}, "valid: 32FC1, 16UC1"), ({"data": b"123"}, "not whole"), ({"width": 0}, "not whole")],
)
def test_depth_that_is_none_is_refused(change: dict[str, object], words: str) -> None:
    message = conversions.to_depth(np.ones((2, 2), np.float32), stamp_s=0.0, frame_id="optical")
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ObservationError, match=words):
        conversions.from_depth(message)


def test_a_vector_survives_the_way_through_a_message() -> None:
    reading = Vector(values=np.array([1.5, -2.0]), names=("a_N", "b_N"), stamp_s=4.25)
    back = conversions.from_vector(conversions.to_vector(reading))
    assert back.names == reading.names and back.stamp_s == 4.25 and np.array_equal(back.values, reading.values)


@pytest.mark.parametrize(("names", "efforts"), [([], []), (["a"], [1.0, 2.0]), (["a"], [float("nan")])])
def test_a_vector_that_is_none_is_refused(names: list[str], efforts: list[float]) -> None:
    with pytest.raises(ObservationError, match="a sense has the names"):
        conversions.from_vector(JointState(name=names, effort=efforts))
