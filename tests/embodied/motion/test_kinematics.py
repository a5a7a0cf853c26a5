# SPDX-License-Identifier: Apache-2.0
"""Laws of every arm's geometry on random postures."""

from __future__ import annotations

import numpy as np
import pytest

from embodied.arm import ARMS, ArmModel, arm_model
from embodied.errors import EmbodiedError, UnreachableError
from embodied.motion.hand import HandPose
from embodied.motion.kinematics import POSITION_TOLERANCE_M, Chain

PANDA = arm_model("panda")


@pytest.fixture(params=ARMS.names())
def model(request: pytest.FixtureRequest) -> ArmModel:
    return arm_model(request.param)


def random_posture(chain: Chain, rng: np.random.Generator) -> np.ndarray:
    margin = 0.1 * (chain.upper_rad - chain.lower_rad)
    return rng.uniform(chain.lower_rad + margin, chain.upper_rad - margin)


@pytest.mark.parametrize("seed", range(10))
def test_jacobian_is_the_derivative_of_forward(model: ArmModel, seed: int) -> None:
    chain = model.chain
    q = random_posture(chain, np.random.default_rng(seed))
    jacobian, step = chain.jacobian(q), 1e-6
    for joint in range(model.joints):
        ahead = chain.forward(q + step * np.eye(model.joints)[joint])
        behind = chain.forward(q - step * np.eye(model.joints)[joint])
        linear = (ahead[:3, 3] - behind[:3, 3]) / (2 * step)
        spin = (ahead[:3, :3] - behind[:3, :3]) / (2 * step) @ chain.forward(q)[:3, :3].T
        angular = np.array([spin[2, 1], spin[0, 2], spin[1, 0]])
        assert np.allclose(jacobian[:, joint], np.concatenate([linear, angular]), atol=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_inverse_then_forward_is_the_target(model: ArmModel, seed: int) -> None:
    chain, rng = model.chain, np.random.default_rng(seed)
    posture = random_posture(chain, rng)
    target = chain.forward(posture)
    start = np.clip(posture + rng.normal(0.0, 0.3, model.joints), chain.lower_rad, chain.upper_rad)
    found = chain.inverse(target, start)
    assert np.abs(chain.forward(found)[:3, 3] - target[:3, 3]).max() < POSITION_TOLERANCE_M
    assert np.allclose(chain.forward(found)[:3, :3], target[:3, :3], atol=5e-3)
    assert (found >= chain.lower_rad).all()
    assert (found <= chain.upper_rad).all()


@pytest.mark.parametrize("seed", range(20))
def test_the_whole_table_is_in_reach_of_the_downward_hand(model: ArmModel, seed: int) -> None:
    chain, rng = model.chain, np.random.default_rng(seed)
    position = rng.uniform([0.33, -0.27, 0.01], [0.67, 0.27, 0.2])
    target = HandPose.down(position, float(rng.uniform(-np.pi / 2, np.pi / 2))).matrix()
    found = chain.inverse(target, model.home_rad, rest_rad=model.home_rad)
    assert np.allclose(chain.forward(found), target, atol=5e-3)


def test_many_places_at_once_are_those_of_each_posture(model: ArmModel) -> None:
    rng = np.random.default_rng(0)
    postures = np.array([random_posture(model.chain, rng) for _ in range(20)])
    each = np.array([model.chain.forward(q)[:3, 3] for q in postures])
    assert np.allclose(model.chain.positions(postures), each)


@pytest.mark.parametrize("position", [(2.0, 0.0, 0.2), (0.0, 0.0, 0.0), (0.5, 0.0, -1.0)])
def test_out_of_reach_is_said(model: ArmModel, position: tuple[float, float, float]) -> None:
    with pytest.raises(UnreachableError, match="cannot reach"):
        model.chain.inverse(HandPose.down(np.array(position)).matrix(), model.home_rad)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(model: ArmModel, bad: float) -> None:
    target = model.home_pose.copy()
    target[0, 3] = bad
    with pytest.raises(UnreachableError, match="not finite"):
        model.chain.inverse(target, model.home_rad)
    with pytest.raises(UnreachableError, match="not finite"):
        model.chain.inverse(model.home_pose, np.full(model.joints, bad))


def test_a_link_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(EmbodiedError, match=r"'gripper'.*panda_grasptarget"):
        Chain.from_urdf(PANDA.urdf, tip="gripper")


def test_a_finger_is_no_end_of_a_chain_of_turns() -> None:
    with pytest.raises(EmbodiedError, match="prismatic"):
        Chain.from_urdf(PANDA.urdf, tip="panda_leftfinger")
