# SPDX-License-Identifier: Apache-2.0
"""Laws of the arm's geometry, on random postures."""

import numpy as np
import pytest

from embodied.errors import EmbodiedError, UnreachableError
from embodied.kinematics import POSITION_TOLERANCE_M, Chain
from embodied.robots import PANDA, PANDA_URDF, panda_chain
from embodied.skills import HOME, HandPose

CHAIN = panda_chain()


def random_posture(rng: np.random.Generator) -> np.ndarray:
    margin = 0.1 * (CHAIN.upper_rad - CHAIN.lower_rad)
    return rng.uniform(CHAIN.lower_rad + margin, CHAIN.upper_rad - margin)


def test_home_is_where_skills_end() -> None:
    assert np.allclose(CHAIN.forward(PANDA.home_rad), HOME.matrix(), atol=1e-3)


@pytest.mark.parametrize("seed", range(10))
def test_jacobian_is_the_derivative_of_forward(seed: int) -> None:
    q = random_posture(np.random.default_rng(seed))
    jacobian, step = CHAIN.jacobian(q), 1e-6
    for joint in range(7):
        ahead = CHAIN.forward(q + step * np.eye(7)[joint])
        behind = CHAIN.forward(q - step * np.eye(7)[joint])
        linear = (ahead[:3, 3] - behind[:3, 3]) / (2 * step)
        spin = (ahead[:3, :3] - behind[:3, :3]) / (2 * step) @ CHAIN.forward(q)[:3, :3].T
        angular = np.array([spin[2, 1], spin[0, 2], spin[1, 0]])
        assert np.allclose(jacobian[:, joint], np.concatenate([linear, angular]), atol=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_inverse_then_forward_is_the_target(seed: int) -> None:
    rng = np.random.default_rng(seed)
    posture = random_posture(rng)
    target = CHAIN.forward(posture)
    start = np.clip(posture + rng.normal(0.0, 0.3, 7), CHAIN.lower_rad, CHAIN.upper_rad)
    found = CHAIN.inverse(target, start)
    assert np.abs(CHAIN.forward(found)[:3, 3] - target[:3, 3]).max() < POSITION_TOLERANCE_M
    assert np.allclose(CHAIN.forward(found)[:3, :3], target[:3, :3], atol=5e-3)
    assert (found >= CHAIN.lower_rad).all()
    assert (found <= CHAIN.upper_rad).all()


@pytest.mark.parametrize("seed", range(20))
def test_the_whole_table_is_in_reach_of_the_downward_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    position = rng.uniform([0.33, -0.27, 0.01], [0.67, 0.27, 0.2])
    target = HandPose(position_m=position, yaw_rad=float(rng.uniform(-np.pi / 2, np.pi / 2))).matrix()
    found = CHAIN.inverse(target, PANDA.home_rad, rest_rad=PANDA.home_rad)
    assert np.allclose(CHAIN.forward(found), target, atol=5e-3)


@pytest.mark.parametrize("position", [(2.0, 0.0, 0.2), (0.0, 0.0, 0.0), (0.5, 0.0, -1.0)])
def test_out_of_reach_is_said(position: tuple[float, float, float]) -> None:
    with pytest.raises(UnreachableError, match="cannot reach"):
        CHAIN.inverse(HandPose(position_m=np.array(position)).matrix(), PANDA.home_rad)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    target = HOME.matrix()
    target[0, 3] = bad
    with pytest.raises(UnreachableError, match="not finite"):
        CHAIN.inverse(target, PANDA.home_rad)
    with pytest.raises(UnreachableError, match="not finite"):
        CHAIN.inverse(HOME.matrix(), np.full(7, bad))


def test_a_link_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(EmbodiedError, match=r"'gripper'.*panda_grasptarget"):
        Chain.from_urdf(PANDA_URDF, tip="gripper")


def test_a_finger_is_no_end_of_a_chain_of_turns() -> None:
    with pytest.raises(EmbodiedError, match="prismatic"):
        Chain.from_urdf(PANDA_URDF, tip="panda_leftfinger")
