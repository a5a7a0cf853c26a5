# SPDX-License-Identifier: Apache-2.0
"""An arm that is not on its path comes to rest where it is, with any controller that there may be."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from embodied.arm import arm_model
from embodied.motion.path import TimedPath, hermite
from embodied.safety import Piece, hold
from embodied.types import Float, JointTrajectory

PANDA = arm_model("panda")
HOME = PANDA.home_rad
unit = arrays(np.float64, 7, elements=st.floats(-1.0, 1.0))


def curve(piece: Piece, begin_rad: Float, speed_rad_s: Float) -> tuple[Float, Float]:
    """Positions and velocities (T, 7) of a controller that begins at a place with a velocity."""
    times = np.concatenate([[0.0], piece.time_s])
    position = np.concatenate([begin_rad[None], piece.position_rad])
    velocity = np.concatenate([speed_rad_s[None], piece.velocity_rad_s])
    at = np.linspace(0.0, times[-1], 400)
    i = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    h = (times[i + 1] - times[i])[:, None]
    return hermite((at - times[i])[:, None] / h, h, position[i], velocity[i], position[i + 1], velocity[i + 1])


@settings(max_examples=200, deadline=None)
@example(speed=np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.345, 0.0]), away=np.eye(7)[5], off_rad=0.12)
@given(speed=unit, away=unit, off_rad=st.sampled_from([0.0, 0.01, 0.12, 0.6]))
def test_a_controller_accepts_it_and_comes_to_rest(speed: Float, away: Float, off_rad: float) -> None:
    measured, velocity = HOME, 1.2 * speed * PANDA.max_velocity_rad_s
    piece = hold(PANDA, measured, velocity, (HOME + off_rad * away, np.zeros(7)))
    assert (np.diff(piece.time_s, prepend=0.0) > 0.0).all()
    assert piece.time_s[-1] >= 0.1
    np.testing.assert_array_equal(piece.velocity_rad_s[-1], np.zeros(7))
    assert (piece.position_rad >= PANDA.lower_rad).all()
    assert (piece.position_rad <= PANDA.upper_rad).all()
    assert piece.gripper_width_m is None
    # It rests no farther away than the arm can brake with nearly all of its strength.
    braked = PANDA.max_velocity_rad_s * (PANDA.max_velocity_rad_s / PANDA.max_acceleration_rad_s2).max()
    assert (np.abs(piece.position_rad[-1] - measured) <= braked + 1e-9).all()


@settings(max_examples=200, deadline=None)
@given(speed=unit, away=unit, off_rad=st.sampled_from([0.0, 0.12, 0.6]))
def test_from_where_the_arm_is_measured_it_brakes_within_the_limits(speed: Float, away: Float, off_rad: float) -> None:
    velocity = speed * PANDA.max_velocity_rad_s
    piece = hold(PANDA, HOME, velocity, (HOME + off_rad * away, np.zeros(7)))
    position, passed = curve(piece, HOME, velocity)
    assert (np.abs(passed) <= PANDA.max_velocity_rad_s * (1 + 1e-9)).all()
    step_s = piece.time_s[-1] / (len(position) - 1)
    acceleration = np.abs(np.diff(passed, axis=0)) / step_s
    assert (acceleration <= PANDA.max_acceleration_rad_s2).all()


@settings(max_examples=200, deadline=None)
@given(away=unit, off_rad=st.sampled_from([0.01, 0.12, 0.6]))
def test_from_where_the_arm_was_told_to_be_it_does_not_jump(away: Float, off_rad: float) -> None:
    told = HOME + off_rad * away
    piece = hold(PANDA, HOME, np.zeros(7), (told, np.zeros(7)))
    _, passed = curve(piece, told, np.zeros(7))
    assert (np.abs(passed) <= PANDA.max_velocity_rad_s).all()
    np.testing.assert_array_equal(piece.position_rad[-1], HOME)


def test_an_arm_that_stands_is_held_at_once() -> None:
    piece = hold(PANDA, HOME, np.zeros(7), (HOME, np.zeros(7)))
    assert piece.time_s[-1] == pytest.approx(0.1)
    np.testing.assert_array_equal(piece.position_rad, np.tile(HOME, (len(piece.time_s), 1)))


def test_at_a_limit_the_arm_is_not_told_to_go_beyond() -> None:
    measured = HOME.copy()
    measured[0] = PANDA.upper_rad[0] - 0.01
    velocity = np.zeros(7)
    velocity[0] = 1.0
    piece = hold(PANDA, measured, velocity, (measured, velocity))
    assert piece.position_rad[:, 0].max() == pytest.approx(PANDA.upper_rad[0])
    assert (piece.position_rad[:, 0] <= PANDA.upper_rad[0]).all()
    position, _ = curve(piece, measured, velocity)
    assert (position[:, 0] <= PANDA.upper_rad[0] + 1e-9).all()


def test_a_curve_of_cubics_meets_its_ends() -> None:
    x0, v0, x1, v1 = np.array([1.0, -2.0]), np.array([0.5, 0.0]), np.array([3.0, 1.0]), np.array([0.0, -4.0])
    for u, position, velocity in ((0.0, x0, v0), (1.0, x1, v1)):
        at = hermite(u, 0.3, x0, v0, x1, v1)
        np.testing.assert_allclose(at[0], position)
        np.testing.assert_allclose(at[1], velocity)
    path = TimedPath(
        JointTrajectory(
            joint_names=("a", "b"),
            time_s=np.array([0.1, 0.4]),
            position_rad=np.stack([x0, x1]),
            velocity_rad_s=np.stack([v0, v1]),
            gripper_width_m=np.zeros(2),
        )
    )
    np.testing.assert_allclose(path.sample(np.array([0.25]))[0][0], hermite(0.5, 0.3, x0, v0, x1, v1)[0])


def test_an_arm_that_can_brake_only_slowly_is_told_all_of_it() -> None:
    slow = replace(PANDA, max_acceleration_rad_s2=np.full(7, 0.5))
    velocity = np.zeros(7)
    velocity[0] = 2.1
    piece = hold(slow, HOME - 2.0 * np.eye(7)[0], velocity, (HOME - 2.0 * np.eye(7)[0], velocity))
    np.testing.assert_array_equal(piece.velocity_rad_s[-1], np.zeros(7))
    assert piece.time_s[-1] > 2.1 / 0.5
