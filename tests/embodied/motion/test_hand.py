# SPDX-License-Identifier: Apache-2.0
"""Laws of hand poses: their matrices, the turns between them, and motions that reach tilted ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodied.arm import ARMS, arm_model
from embodied.geometry import rotation_matrix
from embodied.motion.hand import HandPose, Waypoint, slerp, turn_between
from embodied.motion.path import TimedPath
from embodied.motion.trajectory import plan_motion

STRAIGHTENED_RAD = 0.02


@st.composite
def orientations(draw: st.DrawFn) -> np.ndarray:
    """Unit quaternions, those with zeros among them."""
    parts = draw(st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4))
    q = np.array(parts)
    return q / np.linalg.norm(q) if np.linalg.norm(q) > 1e-3 else np.array([0.0, 0.0, 0.0, 1.0])


@st.composite
def poses(draw: st.DrawFn) -> HandPose:
    place = draw(st.lists(st.floats(-1.0, 1.0), min_size=3, max_size=3))
    return HandPose(position_m=np.array(place), orientation=draw(orientations()))


def axes() -> st.SearchStrategy[np.ndarray]:
    return (
        orientations()
        .map(lambda q: q[:3] / max(np.linalg.norm(q[:3]), 1e-9))
        .filter(lambda axis: abs(np.linalg.norm(axis) - 1.0) < 1e-9)
    )


@given(poses())
def test_a_pose_survives_its_matrix(pose: HandPose) -> None:
    back = HandPose.from_matrix(pose.matrix())
    assert np.array_equal(back.position_m, pose.position_m)
    tilt = np.arccos(np.clip(-pose.matrix()[2, 2], -1.0, 1.0))
    turned = turn_between(back.orientation, pose.orientation)
    assert turned < (1e-6 if tilt > 1.001 * STRAIGHTENED_RAD else 1.001 * STRAIGHTENED_RAD)
    assert np.linalg.norm(back.orientation) == pytest.approx(1.0)


@given(poses())
def test_a_matrix_is_a_rotation_and_a_place(pose: HandPose) -> None:
    matrix = pose.matrix()
    assert np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1.0)
    assert np.array_equal(matrix[:3, 3], pose.position_m) and np.array_equal(matrix[3], [0, 0, 0, 1])


@given(st.floats(-np.pi, np.pi))
def test_a_hand_that_points_down_does_so_and_knows_its_yaw(yaw: float) -> None:
    pose = HandPose.down(np.array([0.4, -0.1, 0.2]), yaw)
    matrix = pose.matrix()
    assert np.allclose(matrix[:3, 2], [0.0, 0.0, -1.0])
    assert np.allclose(matrix[:3, 0], [np.cos(yaw), np.sin(yaw), 0.0])
    assert np.isclose(np.cos(pose.yaw_rad - yaw), 1.0)
    assert turn_between(HandPose.from_matrix(matrix).orientation, pose.orientation) < 1e-6


def test_a_hand_that_nearly_points_down_is_straightened_and_any_other_is_not() -> None:
    down = HandPose.down(np.array([0.5, 0.0, 0.1]), 0.3)
    for tilt, kept in ((0.015, False), (0.025, True), (0.3, True)):
        back = HandPose.from_matrix(down.turned(np.array([0.0, 1.0, 0.0]), tilt).matrix())
        assert (turn_between(back.orientation, down.orientation) > 0.9 * tilt) is kept


@given(poses(), axes(), st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_turns_about_one_axis_add_up_and_move_nothing(
    pose: HandPose, axis: np.ndarray, first: float, second: float
) -> None:
    both = pose.turned(axis, first).turned(axis, second)
    assert np.array_equal(both.position_m, pose.position_m)
    assert turn_between(both.orientation, pose.turned(axis, first + second).orientation) < 1e-6
    assert turn_between(pose.turned(axis, first).turned(axis, -first).orientation, pose.orientation) < 1e-6
    assert turn_between(pose.orientation, pose.turned(axis, first).orientation) == pytest.approx(abs(first), abs=1e-6)


def test_a_turn_is_about_an_axis_of_the_world() -> None:
    up = np.array([0.0, 0.0, 1.0])
    turned = HandPose.down(np.zeros(3), 0.2).turned(up, 0.5)
    assert turn_between(turned.orientation, HandPose.down(np.zeros(3), 0.7).orientation) < 1e-9
    tilted = HandPose.down(np.zeros(3)).turned(np.array([0.0, 1.0, 0.0]), -0.4)
    # Fingers that pointed down point away from the base.
    assert np.allclose(tilted.matrix()[:3, 2], [np.sin(0.4), 0.0, -np.cos(0.4)])


@given(orientations(), orientations())
def test_the_way_between_two_orientations_is_even_and_the_shorter_one(a: np.ndarray, b: np.ndarray) -> None:
    whole = turn_between(a, b)
    assert 0.0 <= whole <= np.pi + 1e-9
    assert turn_between(b, a) == pytest.approx(whole) and turn_between(a, -b) == pytest.approx(whole)
    share = np.array([0.0, 0.25, 0.5, 1.0])
    way = slerp(a, b, share)
    assert np.allclose(np.linalg.norm(way, axis=1), 1.0)
    assert turn_between(way[0], a) < 1e-6 and turn_between(way[-1], b) < 1e-6
    assert np.allclose([turn_between(a, q) for q in way], share * whole, atol=1e-5)


@given(orientations(), orientations())
def test_the_turn_between_two_orientations_is_that_of_their_matrices(a: np.ndarray, b: np.ndarray) -> None:
    turn = rotation_matrix(a) @ rotation_matrix(b).T
    angle = np.arccos(np.clip(0.5 * (np.trace(turn) - 1.0), -1.0, 1.0))
    assert turn_between(a, b) == pytest.approx(angle, abs=1e-6)


TILTS = {
    "forward": ((0.0, 1.0, 0.0), -0.5),
    "back": ((0.0, 1.0, 0.0), 0.4),
    "to the left": ((1.0, 0.0, 0.0), 0.5),
    "to the right": ((1.0, 0.0, 0.0), -0.5),
    "about the vertical": ((0.0, 0.0, 1.0), 0.8),
}


@pytest.mark.parametrize("name", ARMS.names())
@pytest.mark.parametrize("tilt", TILTS)
def test_a_motion_stops_at_tilted_poses_and_passes_them(name: str, tilt: str) -> None:
    """Forward kinematics says so, at each stop, with turns on the spot among them and within the limits."""
    model = arm_model(name)
    axis, angle = TILTS[tilt]
    above = HandPose.down(np.array([0.5, 0.1, 0.2]))
    tilted = above.turned(np.array(axis), angle)
    there = tilted.at(np.array([0.45, -0.1, 0.15]))
    home = HandPose.from_matrix(model.home_pose)
    stops = [above, tilted, there, there.turned(np.array(axis), -angle)]
    route = [Waypoint(pose=pose, gripper_width_m=0.01 * i, dwell_s=0.1) for i, pose in enumerate(stops)]
    passed = Waypoint(pose=tilted.at(np.array([0.48, 0.0, 0.2])), gripper_width_m=0.02)
    route = [*route[:2], passed, *route[2:], Waypoint(pose=home, gripper_width_m=0.03)]
    trajectory = plan_motion(model, model.home_rad, 0.08, route)
    poses = np.array([model.chain.forward(q) for q in trajectory.position_rad])
    still = np.flatnonzero(np.abs(trajectory.velocity_rad_s).max(axis=1) < 1e-9)
    for stop in stops:
        places = np.linalg.norm(poses[still, :3, 3] - stop.position_m, axis=1)
        turns = np.array([turn_between(HandPose.from_matrix(p).orientation, stop.orientation) for p in poses[still]])
        assert ((places < 1e-3) & (turns < 5e-3)).any(), stop
    assert np.allclose(trajectory.position_rad[-1], model.home_rad, atol=1e-9)
    assert np.linalg.norm(poses[:, :3, 3] - passed.pose.position_m, axis=1).min() < 0.04
    path = TimedPath(trajectory)
    assert (path.peak_velocity_rad_s() <= model.max_velocity_rad_s).all()
    assert (path.peak_acceleration_rad_s2() <= model.max_acceleration_rad_s2).all()
