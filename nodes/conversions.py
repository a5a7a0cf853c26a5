# SPDX-License-Identifier: Apache-2.0
"""Between ROS messages and the types of `embodied`: shapes, names, units and frames checked on the way in.

One finger's joint, `gripper_joint`, stands for the gripper in messages; its position is half of the width.
"""

import re
from array import array
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage
from trajectory_msgs.msg import JointTrajectoryPoint

from embodied.errors import ObservationError, UnsafeCommandError
from embodied.geometry import quaternion, rotation_matrix
from embodied.safety.gate import MAX_POINTS
from embodied.text import shown
from embodied.types import Float, JointTrajectory, Vector

WORLD_FRAME = "world"
_FAR_M = 100.0


def to_time(seconds: float) -> Time:
    """Seconds as a stamp."""
    sec, nanosec = divmod(round(seconds * 1e9), 1_000_000_000)
    return Time(sec=sec, nanosec=nanosec)


def _header(stamp_s: float, frame_id: str = "") -> Header:
    return Header(stamp=to_time(stamp_s), frame_id=frame_id)


def from_time(stamp: Time | Duration) -> float:
    """A stamp or a duration in seconds."""
    return float(stamp.sec + stamp.nanosec * 1e-9)


def optical_frame(camera: str) -> str:
    """Name of the optical frame of a camera (REP-103: z forward, x right, y down)."""
    return f"camera_{camera}_optical_frame"


def to_image(rgb: NDArray[np.uint8], *, stamp_s: float, frame_id: str) -> Image:
    """A picture (H, W, 3) as an rgb8 message."""
    height, width, channels = rgb.shape
    assert channels == 3, rgb.shape
    # An array of type B goes in as it is; bytes and lists are checked one by one, 500 times as slow.
    data = array("B")
    data.frombytes(np.ascontiguousarray(rgb).reshape(-1).data)
    header = _header(stamp_s, frame_id)
    return Image(header=header, height=height, width=width, encoding="rgb8", step=3 * width, data=data)


def to_depth(depth_m: NDArray[np.float32], *, stamp_s: float, frame_id: str) -> Image:
    """Depth (H, W) in metres as an image of floats (REP-118)."""
    height, width = depth_m.shape
    message = Image(header=_header(stamp_s, frame_id), height=height, width=width, encoding="32FC1", step=4 * width)
    message.is_bigendian = 0
    message.data = array("B", np.ascontiguousarray(depth_m, dtype="<f4").tobytes())
    return message


def to_vector(reading: Vector) -> JointState:
    """A sense of a few named numbers; they travel as efforts, which is what forces are."""
    values = array("d", reading.values.tolist())
    return JointState(header=_header(reading.stamp_s), name=list(reading.names), effort=values)


def from_vector(message: JointState) -> Vector:
    """The inverse of `to_vector`. Raises ObservationError where names and numbers do not fit together."""
    values = np.array(message.effort, dtype=np.float64)
    if not values.size or len(message.name) != values.size or not np.isfinite(values).all():
        names, numbers = (shown(str(list(each[:10])), 200) for each in (message.name, message.effort))
        raise ObservationError(f"a sense has the names {names} and the numbers {numbers}")
    return Vector(values=values, names=tuple(message.name), stamp_s=from_time(message.header.stamp))


def to_camera_info(intrinsics_px: Float, *, width: int, height: int, stamp_s: float, frame_id: str) -> CameraInfo:
    """A pinhole camera without distortion."""
    message = CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    message.header = _header(stamp_s, frame_id)
    message.k = intrinsics_px.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.hstack([intrinsics_px, np.zeros((3, 1))]).ravel()
    return message


def to_pose(matrix: Float, *, stamp_s: float, frame_id: str = WORLD_FRAME) -> PoseStamped:
    """A pose (4, 4) in `frame_id`."""
    message = PoseStamped(header=_header(stamp_s, frame_id))
    position, turn = message.pose.position, message.pose.orientation
    position.x, position.y, position.z = (float(value) for value in matrix[:3, 3])
    turn.x, turn.y, turn.z, turn.w = (float(value) for value in quaternion(matrix[:3, :3]))
    return message


def from_pose(message: PoseStamped) -> Float:
    """The pose as a matrix (4, 4). Raises ObservationError if it is not finite, far away or not a rotation."""
    position, turn = message.pose.position, message.pose.orientation
    q = np.array([turn.x, turn.y, turn.z, turn.w])
    place = np.array([position.x, position.y, position.z])
    if not (np.abs(q).max() < 2.0 and abs(q @ q - 1.0) < 1e-2):
        raise ObservationError("the camera's orientation is not a unit quaternion")
    if not np.abs(place).max() <= _FAR_M:
        raise ObservationError(f"the camera's position is not finite, or further than {_FAR_M:g} m from the arm")
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_matrix(q / np.sqrt(q @ q))
    matrix[:3, 3] = place
    return matrix


def to_joint_state(
    joint_names: Sequence[str],
    gripper_joint: str,
    position_rad: Float,
    velocity_rad_s: Float,
    gripper_width_m: float,
    *,
    stamp_s: float,
) -> JointState:
    """The arm's N joints, positions (N,) and velocities (N,), and last the gripper's."""
    return JointState(
        header=_header(stamp_s),
        name=[*joint_names, gripper_joint],
        position=array("d", [*position_rad, 0.5 * gripper_width_m]),
        velocity=array("d", [*velocity_rad_s, 0.0]),
    )


_PART = re.compile(r"(.*)\+part([1-9][0-9]{0,8})")


def named(motion_id: str, part: int) -> str:
    """The id of a part of a streamed motion; the first one, 0, is the motion's own."""
    return f"{motion_id}+part{part}" if part else motion_id


def part_of(name: str) -> tuple[str, int | None]:
    """The motion and the number of the part that `named` put together; None for a motion of its own."""
    found = _PART.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)


def to_trajectory(
    trajectory: JointTrajectory, *, gripper_joint: str, motion_id: str, stamp_s: float
) -> JointTrajectoryMessage:
    """A proposal: the arm's joints and, last, the gripper's.

    `motion_id` goes into `header.frame_id`, which joint trajectories have no other use for.
    """
    positions = np.column_stack([trajectory.position_rad, 0.5 * trajectory.gripper_width_m])
    velocities = np.column_stack([trajectory.velocity_rad_s, np.zeros(len(positions))])
    return JointTrajectoryMessage(
        header=_header(stamp_s, motion_id),
        joint_names=[*trajectory.joint_names, gripper_joint],
        points=_points(trajectory.time_s, positions, velocities),
    )


def from_trajectory(message: JointTrajectoryMessage, joint_names: Sequence[str], gripper_joint: str) -> JointTrajectory:
    """The proposal with its columns in the order of `joint_names`. Numbers are not judged here.

    Raises UnsafeCommandError where a joint is missing, unknown or named twice, or a point lacks a
    position or a velocity for each.
    """
    time_s, position, velocity = from_points(message, [*joint_names, gripper_joint])
    return JointTrajectory(
        joint_names=tuple(joint_names),
        time_s=time_s,
        position_rad=position[:, :-1],
        velocity_rad_s=velocity[:, :-1],
        gripper_width_m=2.0 * position[:, -1],
    )


def to_arm_trajectory(
    joint_names: Sequence[str],
    time_s: Float,
    position_rad: Float,
    velocity_rad_s: Float,
    *,
    stamp_s: float,
    frame_id: str = "",
) -> JointTrajectoryMessage:
    """What a joint trajectory controller takes; the times count from `stamp_s`."""
    points = _points(time_s, position_rad, velocity_rad_s)
    return JointTrajectoryMessage(header=_header(stamp_s, frame_id), joint_names=list(joint_names), points=points)


def from_points(message: JointTrajectoryMessage, joint_names: Sequence[str]) -> tuple[Float, Float, Float]:
    """Times (T,), positions (T, N) and velocities (T, N), columns in the order of `joint_names`.

    Raises UnsafeCommandError for other joints and for points with missing values.
    """
    if len(message.points) > MAX_POINTS:
        raise UnsafeCommandError(f"{len(message.points)} points; a motion has 1 to {MAX_POINTS}")
    names = list(message.joint_names)
    if sorted(names) != sorted(joint_names):
        given = shown(", ".join(names[: 2 * len(joint_names)]), 300)
        raise UnsafeCommandError(f"the joints are [{given}], expected [{', '.join(joint_names)}]")
    for i, point in enumerate(message.points):
        if len(point.positions) != len(names) or len(point.velocities) != len(names):
            raise UnsafeCommandError(
                f"point {i} has {len(point.positions)} positions and {len(point.velocities)} velocities"
                f" for {len(names)} joints"
            )
    order = [names.index(name) for name in joint_names]
    shape = (len(message.points), len(names))
    time_s = np.array([from_time(point.time_from_start) for point in message.points], dtype=np.float64)
    position = np.array([point.positions for point in message.points], dtype=np.float64).reshape(shape)
    velocity = np.array([point.velocities for point in message.points], dtype=np.float64).reshape(shape)
    return time_s, position[:, order], velocity[:, order]


def _points(time_s: Float, positions: Float, velocities: Float) -> list[JointTrajectoryPoint]:
    points = []
    for seconds, position, velocity in zip(time_s, positions, velocities, strict=True):
        time = to_time(seconds)
        point = JointTrajectoryPoint(time_from_start=Duration(sec=time.sec, nanosec=time.nanosec))
        point.positions, point.velocities = array("d", position), array("d", velocity)
        points.append(point)
    return points
