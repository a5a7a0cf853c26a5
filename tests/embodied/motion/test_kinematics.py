# SPDX-License-Identifier: Apache-2.0
"""Laws of every arm's geometry on random postures, and of URDF files that are none."""

from __future__ import annotations

from pathlib import Path

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


JOINT = """<joint name="{name}" type="{type}"><parent link="{parent}"/><child link="{child}"/>
<origin xyz="{xyz}" rpy="0 0 0"/><axis xyz="{axis}"/>
<limit lower="{lower}" upper="{upper}" velocity="{velocity}" effort="1"/></joint>"""
SOUND = {
    "name": "turn", "type": "revolute", "parent": "base", "child": "tip", "xyz": "0 0 1", "axis": "0 1 0",
    "lower": "-2", "upper": "2", "velocity": "1",
}  # fmt: skip


def urdf(folder: Path, *joints: dict[str, str]) -> Path:
    path = folder / "arm.urdf"
    lines = [JOINT.format(**SOUND | joint) for joint in joints]
    path.write_text("<robot name='arm'>" + "".join(lines) + "</robot>")
    return path


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    chain = Chain.from_urdf(
        urdf(tmp_path, {}, {"name": "tool", "type": "fixed", "parent": "tip", "child": "tool"}), "tool"
    )
    assert chain.joint_names == ("turn",)
    assert np.allclose(chain.forward(np.array([np.pi / 2]))[:3, 3], [1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axis": "0 0 2"}, r"axis of the URDF joint 'turn' must have length 1"),
        ({"axis": "0 0 0"}, "must have length 1"),
        ({"axis": "0 1"}, "holds '0 1' in place of three numbers"),
        ({"axis": "nan 0 1"}, "in place of three numbers"),
        ({"xyz": "0 0 one"}, "'turn' holds '0 0 one' in place of three numbers"),
        ({"xyz": "0 inf 0"}, "in place of three numbers"),
        ({"lower": "nan"}, "in place of three numbers"),
        ({"lower": "2", "upper": "-2"}, "limits that leave it no way"),
        ({"velocity": "-1"}, "limits that leave it no way"),
        ({"velocity": "0"}, "limits that leave it no way"),
        ({"type": "continuous"}, "continuous, neither revolute nor fixed"),
        ({"type": "fixed"}, "no joint turns on the way to 'tip'"),
        ({"parent": "tip"}, "hang on each other in a circle"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_the_reason(change: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(EmbodiedError, match=words) as caught:
        Chain.from_urdf(urdf(tmp_path, change), "tip")
    assert "\n" not in str(caught.value)


def test_links_in_a_wider_circle_are_found(tmp_path: Path) -> None:
    path = urdf(tmp_path, {}, {"name": "back", "parent": "tip", "child": "base"})
    with pytest.raises(EmbodiedError, match="in a circle"):
        Chain.from_urdf(path, "tip")


@pytest.mark.parametrize("text", ["", "<robot>", "<robot></arm>", "no XML at all", "<a/><b/>"])
def test_what_is_no_urdf_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "arm.urdf").write_text(text)
    with pytest.raises(EmbodiedError, match=r"arm\.urdf"):
        Chain.from_urdf(tmp_path / "arm.urdf", "tip")
    with pytest.raises(EmbodiedError, match=r"no URDF in .*none\.urdf"):
        Chain.from_urdf(tmp_path / "none.urdf", "tip")
