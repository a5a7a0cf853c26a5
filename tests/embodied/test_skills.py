# SPDX-License-Identifier: Apache-2.0
"""Where the hand goes in each skill."""

import numpy as np
import pytest

from embodied.skills import (
    HOME,
    MAX_STEP_M,
    MAX_TURN_RAD,
    OPEN_WIDTH_M,
    PUSH_CONTACT_M,
    TRAVEL_HEIGHT_M,
    HandPose,
    to_chunk,
    waypoints,
)
from embodied.types import SKILL_POINTS, SKILLS, SkillCall

POINTS = np.array([[0.42, 0.15, 0.02], [0.58, -0.12, 0.06]])


def call_of(skill: str, points: np.ndarray = POINTS) -> SkillCall:
    return SkillCall(skill=skill, points_m=points[: SKILL_POINTS[skill]])


@pytest.mark.parametrize("skill", SKILLS)
def test_every_skill_ends_at_home(skill: str) -> None:
    last = waypoints(call_of(skill), HOME)[-1].pose
    assert np.array_equal(last.position_m, HOME.position_m)
    assert last.yaw_rad == HOME.yaw_rad


@pytest.mark.parametrize("skill", ["touch", "pick", "pick_place"])
def test_the_hand_is_low_only_at_the_places_of_the_call(skill: str) -> None:
    call = call_of(skill)
    low = [w.pose.position_m for w in waypoints(call, HOME) if w.pose.position_m[2] < TRAVEL_HEIGHT_M]
    assert np.array_equal(np.array(low), call.points_m)


@pytest.mark.parametrize("skill", SKILLS)
def test_a_low_hand_rises_straight_up_first(skill: str) -> None:
    start = HandPose(position_m=np.array([0.5, 0.0, 0.03]), yaw_rad=0.2)
    first = waypoints(call_of(skill), start)[0].pose
    assert np.array_equal(first.position_m, [0.5, 0.0, TRAVEL_HEIGHT_M])
    assert first.yaw_rad == start.yaw_rad


def test_fingers_close_where_they_grasp_and_open_where_they_let_go() -> None:
    route = waypoints(call_of("pick_place"), HOME)
    stops = [i for i, w in enumerate(route) if w.dwell_s > 0.0]
    assert [route[i].gripper_width_m > 0.04 for i in stops] == [False, True]
    assert route[stops[0] - 1].gripper_width_m == OPEN_WIDTH_M


def test_a_pick_keeps_its_fingers_closed_to_the_end() -> None:
    assert waypoints(call_of("pick"), HOME)[-1].gripper_width_m == 0.0


@pytest.mark.parametrize("angle", np.linspace(-np.pi, np.pi, 9))
def test_a_push_ends_with_the_block_on_the_goal(angle: float) -> None:
    along = np.array([np.cos(angle), np.sin(angle), 0.0])
    block = np.array([0.5, 0.0, 0.02])
    route = waypoints(SkillCall(skill="push", points_m=np.stack([block, block + 0.12 * along])), HOME)
    begin, end = [w.pose for w in route if w.pose.position_m[2] < TRAVEL_HEIGHT_M][:2]
    assert np.allclose(end.position_m + PUSH_CONTACT_M * along, block + 0.12 * along)
    assert (block - begin.position_m) @ along > PUSH_CONTACT_M + 0.02
    # The fingers' opening axis stands across the push.
    opening = end.matrix()[:3, 1]
    assert abs(opening @ along) < 1e-9
    assert abs(end.yaw_rad) <= np.pi / 2 + 1e-9


def test_a_push_of_no_length_is_finite() -> None:
    points = np.array([[0.5, 0.0, 0.02], [0.5, 0.0, 0.02]])
    route = waypoints(SkillCall(skill="push", points_m=points), HOME)
    assert all(np.isfinite(w.pose.position_m).all() for w in route)


@pytest.mark.parametrize("skill", SKILLS)
def test_a_chunk_goes_the_same_way_in_small_steps(skill: str) -> None:
    start = HandPose(position_m=np.array([0.45, 0.1, 0.1]), yaw_rad=0.3)
    rows = to_chunk(call_of(skill), start).ee_delta.astype(np.float64)
    assert np.abs(rows[:, :3]).max() <= MAX_STEP_M
    assert np.abs(rows[:, 3]).max() <= MAX_TURN_RAD
    assert np.abs(rows[:, 4]).max() <= 1.0
    assert np.allclose(start.position_m + rows[:, :3].sum(axis=0), HOME.position_m, atol=1e-5)
    assert np.isclose(start.yaw_rad + rows[:, 3].sum(), HOME.yaw_rad, atol=1e-5)


def test_a_hand_pose_survives_its_matrix() -> None:
    pose = HandPose(position_m=np.array([0.4, -0.1, 0.2]), yaw_rad=-0.7)
    back = HandPose.from_matrix(pose.matrix())
    assert np.allclose(back.position_m, pose.position_m)
    assert np.isclose(back.yaw_rad, pose.yaw_rad)
