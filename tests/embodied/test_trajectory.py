# SPDX-License-Identifier: Apache-2.0
"""Every planned motion is one that the gate passes, and goes where the waypoints say."""

import numpy as np
import pytest

from embodied.arm import arm_model
from embodied.errors import UnreachableError, UnsafeCommandError
from embodied.motion.hand import HandPose, Waypoint
from embodied.motion.path import TimedPath
from embodied.motion.skills import SKILLS, TRAVEL_HEIGHT_M, SkillCall
from embodied.motion.trajectory import STEP_S, _cut, plan_motion
from embodied.safety import ActionGate, ArmState
from embodied.types import Float, JointTrajectory
from tests.embodied.motion.judge import try_plans

PANDA = arm_model("panda")
CHAIN = PANDA.chain
HOMEWARD = SkillCall(skill="home", points_m=np.zeros((0, 3)))
KINDS = ("touch", "pick", "pick_place", "push")


def plan(call: SkillCall, q: Float = PANDA.home_rad) -> JointTrajectory:
    return call.plan(PANDA, q, 0.08)


def random_call(seed: int) -> SkillCall:
    rng = np.random.default_rng(seed)
    skill = KINDS[seed % len(KINDS)]
    points = SKILLS.get(skill).points
    xy = rng.uniform([0.36, -0.25], [0.66, 0.25], (points, 2))
    return SkillCall(skill=skill, points_m=np.column_stack([xy, np.full(points, 0.02)]))


def stops(seed: int, count: int) -> list[Float]:
    """Joint angles at random times of one random motion, off it as a real arm is."""
    rng = np.random.default_rng([seed, 1])
    path = TimedPath(plan(random_call(seed)))
    places = path.sample(rng.uniform(0.0, path.duration_s, count))[0]
    return list(np.clip(places + rng.normal(0.0, 2e-3, places.shape), CHAIN.lower_rad, CHAIN.upper_rad))


def refusal(trajectory: JointTrajectory, q: Float) -> str:
    """What the gate says against a motion from rest at `q` (N,); empty where it passes."""
    at_rest = ArmState(position_rad=q, velocity_rad_s=np.zeros(len(q)), age_s=0.0)
    try:
        ActionGate(PANDA).check(trajectory, arm=at_rest, proposal_age_s=0.0)
    except UnsafeCommandError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("seed", range(24))
def test_every_motion_passes_the_gate_unchanged(seed: int) -> None:
    trajectory = plan(random_call(seed))
    at_rest = ArmState(position_rad=PANDA.home_rad, velocity_rad_s=np.zeros(7), age_s=0.0)
    passed = ActionGate(PANDA).check(trajectory, arm=at_rest, proposal_age_s=0.0)
    assert np.array_equal(passed.position_rad, trajectory.position_rad)


@pytest.mark.parametrize("seed", range(8))
def test_a_motion_ends_at_rest_in_the_home_posture(seed: int) -> None:
    trajectory = plan(random_call(seed))
    assert np.allclose(trajectory.position_rad[-1], PANDA.home_rad, atol=1e-9)
    assert np.abs(trajectory.velocity_rad_s[-1]).max() == 0.0
    assert np.allclose(np.diff(trajectory.time_s), STEP_S)


@pytest.mark.parametrize("seed", [2, 6, 10, 14])
def test_near_the_table_the_hand_moves_straight_up_and_down(seed: int) -> None:
    call = random_call(seed)
    assert call.skill == "pick_place"
    hands = np.array([CHAIN.forward(q)[:3, 3] for q in plan(call).position_rad])
    low = hands[hands[:, 2] < 0.11]
    away = np.linalg.norm(low[:, None, :2] - call.points_m[None, :, :2], axis=2).min(axis=1)
    assert away.max() < 0.003
    nearest = np.linalg.norm(hands[:, None] - call.points_m[None], axis=2).min(axis=0)
    assert nearest.max() < 0.001


@pytest.mark.parametrize("seed", [1, 2, 5, 6])
def test_fingers_close_only_while_the_arm_stands_still(seed: int) -> None:
    trajectory = plan(random_call(seed))
    closing = np.flatnonzero(np.diff(trajectory.gripper_width_m) < 0.0) + 1
    assert len(closing) == 1
    assert np.abs(trajectory.velocity_rad_s[closing]).max() == 0.0


def test_a_motion_from_elsewhere_starts_there() -> None:
    q = CHAIN.inverse(HandPose.down(np.array([0.5, 0.1, 0.05])).matrix(), PANDA.home_rad)
    trajectory = plan(random_call(2), q)
    assert np.abs(trajectory.position_rad[0] - q).max() < 0.01
    assert np.allclose(trajectory.position_rad[-1], PANDA.home_rad, atol=1e-9)


def test_out_of_reach_is_said_before_anything_moves() -> None:
    far = Waypoint(pose=HandPose.down(np.array([1.5, 0.0, 0.02])), gripper_width_m=0.08)
    with pytest.raises(UnreachableError, match="cannot reach"):
        plan_motion(PANDA, PANDA.home_rad, 0.08, [far])


def test_a_start_that_is_not_finite_is_refused() -> None:
    with pytest.raises(UnreachableError, match="not finite"):
        plan_motion(PANDA, np.full(7, np.nan), 0.08, [])


@pytest.mark.parametrize("seed", range(30))
def test_the_gate_passes_the_way_home_from_every_stop(seed: int) -> None:
    """An arm that was stopped anywhere can always go on; 360 stops in all."""
    refused = [refusal(plan(HOMEWARD, q), q) for q in stops(seed, 12)]
    assert [words for words in refused if words] == []


@pytest.mark.parametrize("seed", range(20))
def test_the_gate_passes_every_skill_from_every_stop(seed: int) -> None:
    refused = [refusal(plan(random_call(100 + seed + i), q), q) for i, q in enumerate(stops(seed, 5))]
    assert [words for words in refused if words] == []


@pytest.mark.parametrize("below_mm", [0.02, 0.1, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0])
def test_the_gate_passes_the_way_home_from_just_below_travel_height(below_mm: float) -> None:
    """There the first step is shorter than inverse kinematics is exact; 220 postures."""
    rng = np.random.default_rng(3)
    refused = []
    for x, y in rng.uniform([0.36, -0.25], [0.66, 0.25], (20, 2)):
        place = np.array([x, y, TRAVEL_HEIGHT_M - 1e-3 * below_mm])
        pose = HandPose.down(place, rng.uniform(-0.8, 0.8)).matrix()
        q = CHAIN.inverse(pose, PANDA.home_rad, rest_rad=PANDA.home_rad)
        trajectory = plan(HOMEWARD, q)
        refused.append(refusal(trajectory, q))
        assert trajectory.time_s[-1] < 3.0, "a tiny first step costs little time"
    assert [words for words in refused if words] == []


@pytest.mark.parametrize("step_m", [2e-5, 1e-4, 1e-3])
def test_a_tiny_motion_is_within_the_limits(step_m: float) -> None:
    pose = HandPose.from_matrix(PANDA.home_pose)
    there = Waypoint(pose=pose.at(pose.position_m - np.array([0.0, 0.0, step_m])), gripper_width_m=0.08)
    back = Waypoint(pose=pose, gripper_width_m=0.08)
    assert refusal(plan_motion(PANDA, PANDA.home_rad, 0.08, [there]), PANDA.home_rad) == ""
    assert refusal(plan_motion(PANDA, PANDA.home_rad, 0.08, [there, back]), PANDA.home_rad) == ""


def test_a_wrist_that_swings_a_little_beyond_its_limit_is_held_there() -> None:
    """The curve between two postures at the limit of a joint passes it by 5 mrad: that is cut off."""
    q = np.array([-0.1829787, 0.20714676, -0.06585025, -2.67701498, 0.05302216, 2.88339129, 0.48670708])
    points = np.array([[0.37218667, 0.24148354, 0.02], [0.38255919, -0.23726696, 0.02]])
    trajectory = plan(SkillCall(skill="push", points_m=points), q)
    assert refusal(trajectory, q) == ""
    assert trajectory.position_rad[:, 6].max() == CHAIN.upper_rad[6]


def test_a_curve_that_would_pass_a_limit_by_far_is_said() -> None:
    swinging = np.tile(PANDA.home_rad, (3, 1))
    swinging[1, 6] = CHAIN.upper_rad[6] + 0.02
    with pytest.raises(UnreachableError, match=r"panda_joint7 would pass its limit by 0\.020 rad"):
        _cut(PANDA, swinging, np.zeros((3, 7)))


@pytest.mark.parametrize("arm", ["panda", "ur5e"])
def test_no_plan_is_refused_from_wherever_an_arm_was_stopped(arm: str) -> None:
    """A part of `python -m tests.embodied.motion.judge plans 10000`: any skill, any place, any width, noise."""
    found = try_plans(arm, 150, seed=7)
    assert found["planned and refused"] == 0, found
    assert found["passed"] > 130, found


def test_a_motion_that_would_take_longer_than_the_gate_allows_is_said() -> None:
    home = HandPose.from_matrix(PANDA.home_pose)
    slow = [Waypoint(pose=home, gripper_width_m=0.08, dwell_s=61.0)]
    with pytest.raises(UnreachableError, match="this way would take 61 s, 60 s at most"):
        plan_motion(PANDA, PANDA.home_rad, 0.08, slow)


@pytest.mark.parametrize("width_m", [-0.004, 0.084, 0.2])
def test_fingers_that_are_measured_too_far_apart_or_together_bar_no_motion(width_m: float) -> None:
    assert refusal(HOMEWARD.plan(PANDA, PANDA.home_rad, width_m), PANDA.home_rad) == ""
