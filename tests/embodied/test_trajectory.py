# SPDX-License-Identifier: Apache-2.0
"""Every planned motion is one that the gate passes, and goes where the waypoints say."""

import numpy as np
import pytest

from embodied.errors import UnreachableError
from embodied.robots import PANDA, panda_chain
from embodied.safety.gate import ActionGate, ArmState
from embodied.skills import HOME, HandPose, waypoints
from embodied.trajectory import STEP_S, plan_motion
from embodied.types import SKILL_POINTS, SKILLS, JointTrajectory, SkillCall

CHAIN = panda_chain()


def plan(call: SkillCall, q: np.ndarray = PANDA.home_rad) -> JointTrajectory:
    return plan_motion(CHAIN, PANDA, q, 0.08, waypoints(call, HandPose.from_matrix(CHAIN.forward(q))))


def random_call(seed: int) -> SkillCall:
    rng = np.random.default_rng(seed)
    skill = SKILLS[seed % len(SKILLS)]
    xy = rng.uniform([0.36, -0.25], [0.66, 0.25], (SKILL_POINTS[skill], 2))
    return SkillCall(skill=skill, points_m=np.column_stack([xy, np.full(len(xy), 0.02)]))


@pytest.mark.parametrize("seed", range(24))
def test_every_motion_passes_the_gate_unchanged(seed: int) -> None:
    trajectory = plan(random_call(seed))
    at_rest = ArmState(position_rad=PANDA.home_rad, velocity_rad_s=np.zeros(7), age_s=0.0)
    passed = ActionGate(PANDA, CHAIN).check(trajectory, arm=at_rest, proposal_age_s=0.0)
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
    q = CHAIN.inverse(HandPose(position_m=np.array([0.5, 0.1, 0.05])).matrix(), PANDA.home_rad)
    trajectory = plan(random_call(2), q)
    assert np.abs(trajectory.position_rad[0] - q).max() < 0.01
    assert np.allclose(trajectory.position_rad[-1], PANDA.home_rad, atol=1e-9)


def test_out_of_reach_is_said_before_anything_moves() -> None:
    with pytest.raises(UnreachableError, match="cannot reach"):
        plan(SkillCall(skill="pick", points_m=np.array([[1.5, 0.0, 0.02]])))


def test_a_start_that_is_not_finite_is_refused() -> None:
    with pytest.raises(UnreachableError, match="not finite"):
        plan_motion(CHAIN, PANDA, np.full(7, np.nan), 0.08, waypoints(random_call(0), HOME))
