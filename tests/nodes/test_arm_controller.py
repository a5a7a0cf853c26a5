# SPDX-License-Identifier: Apache-2.0
"""The simulated arm's controller does what a joint trajectory controller does."""

import numpy as np
import pytest

from embodied.arm import arm_model
from embodied.errors import UnsafeCommandError
from embodied.safety import hold
from nodes.arm_controller import ArmController

HERE = np.zeros(7)
FASTEST = np.full(7, 2.0)


def line(begin_s: float, end_s: float, to_rad: float, points: int = 11) -> tuple[np.ndarray, ...]:
    """Points on the way of joint 1 from 0 to `to_rad` at even speed, at rest in the end."""
    time_s = np.linspace(begin_s, end_s, points)[1:]
    position = np.zeros((points - 1, 7))
    position[:, 0] = to_rad * (time_s - begin_s) / (end_s - begin_s)
    velocity = np.zeros((points - 1, 7))
    velocity[:-1, 0] = to_rad / (end_s - begin_s)
    return time_s, position, velocity


def test_goes_there_and_holds() -> None:
    arm = ArmController(HERE, FASTEST)
    arm.follow(*line(1.0, 2.0, 0.5), now_s=1.0)
    assert arm.command(1.5)[0][0] == pytest.approx(0.25, abs=1e-6)
    for later_s in (2.0, 3.0, 1000.0):
        position, velocity = arm.command(later_s)
        assert position[0] == pytest.approx(0.5)
        np.testing.assert_array_equal(velocity, np.zeros(7))


def test_a_new_trajectory_goes_on_from_where_the_arm_is() -> None:
    arm = ArmController(HERE, FASTEST)
    arm.follow(*line(0.0, 1.0, 0.5), now_s=0.0)
    before = arm.command(0.55)[0]
    late = line(0.0, 2.0, 1.0)
    arm.follow(*late, now_s=0.55)
    np.testing.assert_allclose(arm.command(0.55)[0], before)
    steps = np.diff([arm.command(t)[0][0] for t in np.arange(0.55, 2.0, 0.01)])
    assert (steps > -1e-9).all(), "points of the past are skipped"
    assert arm.command(2.0)[0][0] == pytest.approx(1.0)


def test_a_hold_takes_the_force_away_without_a_jump() -> None:
    """The arm was told to go 0.15 rad into an obstacle at which it has come to rest."""
    model = arm_model("panda")
    arm = ArmController(model.home_rad, model.max_velocity_rad_s)
    time_s, way, velocity = line(0.0, 1.0, 0.5)
    arm.follow(time_s, model.home_rad + way, velocity, now_s=0.0)
    told, _ = arm.command(0.4)
    measured = told.copy()
    measured[0] -= 0.15
    piece = hold(model, measured, np.zeros(7), (told, np.zeros(7)))
    arm.follow(0.4 + piece.time_s, piece.position_rad, piece.velocity_rad_s, now_s=0.4)
    at_s = np.arange(0.4, 1.0, 1 / 240)
    commands = np.array([arm.command(t)[0] for t in at_s])
    assert np.abs(commands[0] - told).max() < 1e-9
    assert (np.abs(np.diff(commands, axis=0)) * 240 <= model.max_velocity_rad_s).all()
    np.testing.assert_array_equal(commands[-1], measured)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t, q, v: (t, q * np.nan, v), "not finite"),
        (lambda t, q, v: (t, q, v + np.inf), "not finite"),
        (lambda t, q, v: (t[::-1], q, v), "do not increase"),
        (lambda t, q, v: (t - 10.0, q, v), "ended"),
        (lambda t, q, v: (t[:0], q[:0], v[:0]), "empty"),
        (lambda t, q, v: (t, q, v + 0.1), "does not end at rest"),
        (lambda t, q, v: (t, q + 5.0, v), r"a jump: joint \d would need"),
    ],
)
def test_goes_on_as_before_where_a_trajectory_is_refused(spoil, words: str) -> None:
    arm = ArmController(HERE, FASTEST)
    arm.follow(*line(0.0, 1.0, 0.5), now_s=0.0)
    before = arm.command(0.7)[0]
    with pytest.raises(UnsafeCommandError, match=words):
        arm.follow(*spoil(*line(0.2, 1.2, 0.5)), now_s=0.2)
    np.testing.assert_array_equal(arm.command(0.7)[0], before)
