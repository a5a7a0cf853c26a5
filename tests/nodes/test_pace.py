# SPDX-License-Identifier: Apache-2.0
"""A simulated clock waits for a gate that is behind, and for nobody for long."""

from collections import deque
from contextlib import suppress
from itertools import count
from typing import Any

import numpy as np
import pytest

from embodied.arm import arm_model
from embodied.errors import UnsafeCommandError
from embodied.motion.path import TimedPath
from embodied.safety import Piece, Streamer
from embodied.types import JointTrajectory
from nodes.arm_controller import ArmController
from nodes.pace import Pace

MODEL = arm_model("panda")
STEP_S = 0.001
TOLERANCE_RAD = 0.12


class Unmoved(Pace):
    """The clock of a real arm."""

    def lead(self, begin_s: float, end_s: float, steady_s: float) -> None:
        """Whatever comes, it goes on."""


def sweep() -> TimedPath:
    time_s = 0.05 * np.arange(1, 61)
    u, way = time_s[:, None] / time_s[-1], np.array([1.4, 0.3, 0.0, 0.4, 0.0, 0.0, 0.2])
    velocity = way * (30.0 * u**2 - 60.0 * u**3 + 30.0 * u**4) / time_s[-1]
    velocity[-1] = 0.0
    return TimedPath(
        JointTrajectory(
            joint_names=MODEL.joint_names,
            time_s=time_s,
            position_rad=MODEL.home_rad + way * (10.0 * u**3 - 15.0 * u**4 + 6.0 * u**5),
            velocity_rad_s=velocity,
            gripper_width_m=np.full(60, 0.08),
        )
    )


def worst_rad(pace: Pace, rng: np.random.Generator, stall_s: float) -> tuple[float, float]:
    """How far the arm was from what the gate thought, and how long (steady) the motion took.

    The gate sends every 0.02 s. What is sent either way arrives in order 0.01 s later, or `stall_s` once in a while.
    """
    streamer, arm = Streamer(sweep(), MODEL), ArmController(MODEL.home_rad, MODEL.max_velocity_rad_s)
    arm_s, steady_s, heard_s, worst = 10.0, 0.0, 10.0, 0.0
    to_gate: deque[tuple[float, float, np.ndarray]] = deque()
    to_arm: deque[tuple[float, float, tuple[Piece, bool]]] = deque()

    def arrives_s(link: deque[tuple[float, float, Any]]) -> float:
        delay_s = stall_s if rng.random() < 0.02 else 0.01
        return max(steady_s + delay_s, link[-1][0] if link else 0.0)

    for tick in count():
        steady_s = STEP_S * tick
        while to_gate and to_gate[0][0] <= steady_s:
            _, heard_s, measured = to_gate.popleft()
            if heard_s > 10.0:
                worst = max(worst, float(np.abs(streamer.told_rad(heard_s) - measured).max()))
        if tick % 10 == 0:
            to_gate.append((arrives_s(to_gate), arm_s, arm.command(arm_s)[0]))
        if tick % 20 == 0:
            piece, more = streamer.piece(heard_s), not streamer.finished(heard_s)
            to_arm.append((arrives_s(to_arm), heard_s, (piece, more)))
        while to_arm and to_arm[0][0] <= steady_s:
            _, begin_s, (piece, more) = to_arm.popleft()
            times = begin_s + piece.time_s
            with suppress(UnsafeCommandError):  # it came too late altogether
                arm.follow(times, piece.position_rad, piece.velocity_rad_s, now_s=arm_s)
                pace.lead(begin_s, float(times[-1]) if more else begin_s, steady_s)
        if streamer.finished(heard_s) or steady_s > 30.0:
            return worst, steady_s
        arm_s += STEP_S * pace.rate(arm_s, steady_s)
    raise AssertionError


@pytest.mark.parametrize("seed", range(5))
def test_an_arm_whose_gate_stalls_stays_where_the_gate_thinks_it_is(seed: int) -> None:
    stalled, smooth = 0.25, 0.01
    waited, waited_s = worst_rad(Pace(1.0), np.random.default_rng(seed), stalled)
    left, _ = worst_rad(Unmoved(1.0), np.random.default_rng(seed), stalled)
    _, undisturbed_s = worst_rad(Unmoved(1.0), np.random.default_rng(seed), smooth)
    assert worst_rad(Pace(1.0), np.random.default_rng(seed), smooth)[1] == undisturbed_s, "nobody is waited for"
    assert waited < TOLERANCE_RAD < left
    assert undisturbed_s < waited_s < 3.0 * undisturbed_s


def test_a_gate_that_keeps_up_is_not_waited_for() -> None:
    for rate in (0.5, 1.0, 3.0):
        pace = Pace(rate)
        pace.lead(1.0, 1.4, steady_s=100.0)
        for after_s in (0.0, 0.02, 0.049):
            assert pace.rate(1.0 + after_s * max(rate, 1.0), 100.0 + after_s) == rate


def test_nothing_is_waited_for_behind_the_last_piece_of_a_motion_or_a_brake() -> None:
    pace = Pace(1.0)
    pace.lead(1.0, 1.4, steady_s=100.0)
    pace.lead(1.02, 1.02, steady_s=100.02)
    for after_s in (0.0, 0.05, 0.3):
        assert pace.rate(1.02 + after_s, 100.02 + after_s) == 1.0


def test_the_clock_goes_on_whatever_happens() -> None:
    pace = Pace(1.0)
    assert pace.rate(5.0, 100.0) == 1.0, "nobody leads the arm"
    pace.lead(5.0, 5.4, steady_s=100.0)
    assert 0.0 < pace.rate(5.1, 100.1) < 1.0, "joints that stand still would be taken for dead"
    assert pace.rate(5.1, 101.0) == 1.0, "nothing more comes"
    assert pace.rate(5.5, 100.1) == 1.0, "the arm is at rest"
