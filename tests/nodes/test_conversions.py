# SPDX-License-Identifier: Apache-2.0
"""Messages and back: nothing is lost, and nothing malformed comes in."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState

from embodied.errors import ObservationError, UnsafeCommandError
from embodied.types import JointTrajectory, Vector
from nodes import conversions

NAMES = ("base", "elbow", "wrist")
FINGER = "finger"


@given(seconds=st.floats(0, 2**31 - 1))
def test_time_survives_to_the_nanosecond_that_a_float_holds(seconds: float) -> None:
    assert conversions.from_time(conversions.to_time(seconds)) == pytest.approx(seconds, abs=1e-6)


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
    message.pose.orientation.w = 1.0
    for x in (math.nan, math.inf, 1e300):
        message.pose.position.x = x
        with pytest.raises(ObservationError, match="not finite, or further than 100 m"):
            conversions.from_pose(message)


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


def test_a_vector_survives_the_way_through_a_message() -> None:
    reading = Vector(values=np.array([1.5, -2.0]), names=("a_N", "b_N"), stamp_s=4.25)
    back = conversions.from_vector(conversions.to_vector(reading))
    assert back.names == reading.names and back.stamp_s == 4.25 and np.array_equal(back.values, reading.values)


@pytest.mark.parametrize(("names", "efforts"), [([], []), (["a"], [1.0, 2.0]), (["a"], [float("nan")])])
def test_a_vector_that_is_none_is_refused(names: list[str], efforts: list[float]) -> None:
    with pytest.raises(ObservationError, match="a sense has the names"):
        conversions.from_vector(JointState(name=names, effort=efforts))


def test_a_motion_of_far_too_many_points_is_not_looked_at() -> None:
    message = conversions.to_trajectory(motion(), gripper_joint=FINGER, motion_id="", stamp_s=0.0)
    message.points = [message.points[0]] * 5001
    with pytest.raises(UnsafeCommandError, match="5001 points; a motion has 1 to 5000"):
        conversions.from_trajectory(message, NAMES, FINGER)


def test_parts_have_names_that_no_motion_has_by_chance() -> None:
    for motion_id in ("ab12-3", "spoilt -1e+308", "a+1", "a+part", "a+part0", "a+part1x", ""):
        assert conversions.part_of(conversions.named(motion_id, 0)) == (motion_id, None)
        assert conversions.part_of(conversions.named(motion_id, 12)) == (motion_id, 12)
