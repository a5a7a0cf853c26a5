# SPDX-License-Identifier: Apache-2.0
"""Near a singular posture the arm goes slower than it was asked to, and elsewhere as it was asked to."""

import numpy as np
import pytest

from embodied.arm import arm_model
from embodied.motion.path import TimedPath
from embodied.safety import Streamer
from embodied.safety.singular import LEAST, SLOWEST_AT, condition, slowed
from embodied.types import Float, JointTrajectory

PANDA = arm_model("panda")
SINGULAR = np.array([0.0, 0.0, np.pi / 2, -2.0, np.pi / 2, 2.0, 0.785398])
"""The shoulder's axes and those of the wrist leave one direction out."""


def between(begin: Float, end: Float, duration_s: float) -> TimedPath:
    share = np.arange(1, 81)[:, None] / 80
    return TimedPath(
        JointTrajectory(
            joint_names=PANDA.joint_names,
            time_s=duration_s * share[:, 0],
            position_rad=begin + (end - begin) * (3 * share**2 - 2 * share**3),
            velocity_rad_s=(end - begin) * (6 * share - 6 * share**2) / duration_s,
            gripper_width_m=np.full(80, 0.08),
        )
    )


@pytest.mark.parametrize("arm", ["panda", "ur5e"])
def test_the_condition_is_that_of_the_jacobian(arm: str) -> None:
    model = arm_model(arm)
    postures = np.random.default_rng(0).uniform(model.lower_rad, model.upper_rad, (50, model.joints))
    expected = [np.linalg.cond(model.chain.jacobian(posture)) for posture in postures]
    near = np.array(expected) < 1e4
    np.testing.assert_allclose(condition(model.chain, postures)[near], np.array(expected)[near], rtol=1e-4)


def test_an_arm_slows_down_near_a_singular_posture_and_gets_through() -> None:
    assert condition(PANDA.chain, SINGULAR[None])[0] > SLOWEST_AT
    path = between(SINGULAR - 0.3, SINGULAR + 0.3, 0.8)
    streamer, now_s, speeds = Streamer(path, PANDA), 0.0, []
    while not streamer.finished(now_s):
        streamer.piece(now_s)
        now_s += 0.02
        position, velocity = streamer.told(now_s)
        near = condition(PANDA.chain, position[None])[0] > SLOWEST_AT
        if near:
            speeds.append(float((np.abs(velocity) / PANDA.max_velocity_rad_s).max()))
        assert now_s < 10.0
    assert speeds and max(speeds) < 1.1 * LEAST
    assert now_s > 1.2 * path.duration_s


def test_elsewhere_nothing_is_slower() -> None:
    path = between(PANDA.home_rad, PANDA.home_rad + 0.2, 1.0)
    assert slowed(PANDA, path)[1].min() == 1.0
