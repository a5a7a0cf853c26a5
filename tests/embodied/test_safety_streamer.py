# SPDX-License-Identifier: Apache-2.0
"""Pieces of a motion: each ends at rest, and together they are the motion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodied.arm import arm_model
from embodied.motion.path import TimedPath
from embodied.safety import ClockScale, Streamer, Watchdog
from embodied.safety.streamer import HORIZON_S, STOP_S
from embodied.types import JointTrajectory

PANDA = arm_model("panda")


def swing(stop_s: float | None = None) -> TimedPath:
    """Joint 1 goes 0.5 rad in 2 s; with `stop_s`, it stands there for 0.4 s while the fingers close."""
    time_s = np.arange(1, 81) * 0.025
    share = time_s / 2.0
    position = np.tile(PANDA.home_rad, (80, 1))
    velocity = np.zeros((80, 7))
    position[:, 0] += 0.5 * (3 * share**2 - 2 * share**3)
    velocity[:, 0] = 0.5 * (6 * share - 6 * share**2) / 2.0
    width = np.full(80, 0.08)
    if stop_s is not None:
        dwell = np.tile(position[-1], (16, 1))
        back = position[::-1]
        time_s = np.arange(1, 80 + 16 + 80 + 1) * 0.025
        position = np.concatenate([position, dwell, back])
        velocity = np.concatenate([velocity, np.zeros((16, 7)), -velocity[::-1]])
        velocity[-1] = 0.0
        width = np.concatenate([width, np.full(96, 0.0)])
    return TimedPath(
        JointTrajectory(
            joint_names=PANDA.joint_names,
            time_s=time_s,
            position_rad=position,
            velocity_rad_s=velocity,
            gripper_width_m=width,
        )
    )


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_every_piece_is_short_and_ends_at_rest(scale: float) -> None:
    streamer, now_s = Streamer(swing()), 10.0
    while not streamer.finished(now_s):
        piece = streamer.piece(now_s, scale=scale)
        assert piece.time_s[-1] == pytest.approx(HORIZON_S * scale)
        assert (np.diff(piece.time_s, prepend=0.0) > 0).all()
        np.testing.assert_array_equal(piece.velocity_rad_s[-1], np.zeros(7))
        now_s += 0.02 * scale


def test_in_time_the_arm_goes_as_planned() -> None:
    streamer, now_s = Streamer(swing()), 0.0
    while not streamer.finished(now_s):
        streamer.piece(now_s)
        now_s += 0.02
    # Getting under way costs a little: the path begins at speed 0 along it.
    assert 2.0 <= now_s < 2.2


@settings(max_examples=60, deadline=None)
@given(gaps=st.lists(st.floats(0.005, 0.6), min_size=5, max_size=40))
def test_a_late_sender_never_makes_the_arm_jump(gaps: list[float]) -> None:
    path = swing()
    streamer, now_s = Streamer(path), 0.0
    followed = [path.position_rad[0]]
    for gap in gaps:
        piece = streamer.piece(now_s)
        at = np.append(np.arange(0.005, gap, 0.005), gap)
        held = np.minimum(at, piece.time_s[-1])
        times = np.concatenate([[0.0], piece.time_s])
        points = np.concatenate([followed[-1:], piece.position_rad])
        followed += [np.array([np.interp(t, times, points[:, j]) for j in range(7)]) for t in held]
        now_s += gap
    steps = np.abs(np.diff(np.array(followed), axis=0)).max(axis=1)
    # The path's own speed is at most 0.375 rad/s; twice that in 5 ms and the corners of the sampling.
    assert steps.max() < 0.375 * 2 * 0.01


def test_without_more_pieces_the_arm_rests_within_the_horizon() -> None:
    streamer = Streamer(swing())
    for k in range(40):
        streamer.piece(0.02 * k)
    silent_s = 0.02 * 39
    assert streamer.place_s(silent_s + HORIZON_S) == streamer.place_s(silent_s + 100.0)
    assert streamer.place_s(silent_s + 100.0) - streamer.place_s(silent_s) < HORIZON_S


def test_it_knows_where_the_arm_had_been_told_to_be() -> None:
    """Also between two pieces that came late, when the arm was slowing down."""
    path = swing()
    streamer, now_s, told = Streamer(path), 0.0, {}
    for gap in (0.02, 0.02, 0.02, 0.15, 0.02, 0.3, 0.02, 0.02, 0.1):
        streamer.piece(now_s)
        for at_s in np.arange(now_s, now_s + gap - 1e-9, 0.01):
            told[at_s] = path.sample(np.array([streamer.place_s(at_s)]))[0][0]
        now_s += gap
    for at_s, expected in told.items():
        np.testing.assert_allclose(streamer.told_rad(at_s), expected, atol=1e-12)


def test_before_it_was_told_anything_the_arm_is_at_the_beginning() -> None:
    path = swing()
    streamer = Streamer(path)
    np.testing.assert_array_equal(streamer.told_rad(3.0), path.position_rad[0])
    streamer.piece(5.0)
    np.testing.assert_array_equal(streamer.told_rad(3.0), path.position_rad[0])


def test_brake_stops_on_the_path() -> None:
    path = swing()
    streamer = Streamer(path)
    for k in range(40):
        streamer.piece(0.02 * k)
    place_s = streamer.place_s(0.8)
    piece = streamer.brake(0.8)
    assert piece.time_s[-1] == pytest.approx(STOP_S)
    np.testing.assert_array_equal(piece.velocity_rad_s[-1], np.zeros(7))
    ahead = path.sample(np.array([place_s, place_s + STOP_S]))[0][:, 0]
    assert ahead[0] <= piece.position_rad[-1, 0] <= ahead[1]


@pytest.mark.parametrize("tick_s", [0.02, 0.3])
def test_the_arm_waits_until_the_fingers_were_told(tick_s: float) -> None:
    path = swing(stop_s=2.0)
    streamer, now_s, told = Streamer(path), 0.0, 0.08
    while not streamer.finished(now_s):
        piece = streamer.piece(now_s)
        if piece.gripper_width_m != 0.0:
            assert streamer.place_s(now_s + 100.0) <= path.gripper_stops_s()[0] + 1e-9
        told = piece.gripper_width_m
        now_s += tick_s
    assert told == 0.0


def test_watchdog_is_silent_before_the_first_word() -> None:
    dog = Watchdog(0.3)
    assert dog.expired(0.0)
    dog.feed(5.0)
    assert not dog.expired(5.3)
    assert dog.expired(5.31)
    assert dog.expired(float("nan"))


def test_clock_scale_measures_and_sees_a_clock_that_was_set_back() -> None:
    scale = ClockScale()
    assert scale.scale == 1.0
    for k in range(100):
        assert scale.update(3.0 * 0.02 * k, 0.02 * k)
    assert scale.scale == pytest.approx(3.0)
    assert not scale.update(0.0, 2.0)
    assert scale.scale == 1.0
    for k in range(100):
        scale.update(0.1 * 0.02 * k, 2.0 + 0.02 * k)
    assert scale.scale == 1.0, "a slow clock shortens no reserve"
