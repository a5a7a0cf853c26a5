# SPDX-License-Identifier: Apache-2.0
"""Pieces of a motion: each ends at rest, and together they are the motion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodied.arm import arm_model
from embodied.judge import Sent, followed, shares
from embodied.motion.path import TimedPath
from embodied.safety import ClockScale, Piece, Streamer, Watchdog
from embodied.safety.streamer import LEAD_S
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


SWING_BRAKE_S = 0.375 / PANDA.max_acceleration_rad_s2[0]
"""The shortest time in which the fastest of a swing can come to rest."""


@pytest.mark.parametrize("sent", [0, 1, 20])
def test_a_piece_that_is_taken_back_was_never_made(sent: int) -> None:
    one, other = Streamer(swing(), PANDA), Streamer(swing(), PANDA)
    for i in range(sent):
        one.piece(10.0 + 0.02 * i)
        other.piece(10.0 + 0.02 * i)
    one.piece(10.0 + 0.02 * sent)
    one.take_back()
    for later_s in (0.01, 0.05, 0.5, 2.0):
        now_s = 10.0 + 0.02 * sent + later_s
        np.testing.assert_array_equal(one.told_rad(now_s), other.told_rad(now_s))
        for told, as_told in zip(one.told(now_s), other.told(now_s), strict=True):
            np.testing.assert_array_equal(told, as_told)
    np.testing.assert_array_equal(one.piece(now_s).position_rad, other.piece(now_s).position_rad)


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_every_piece_is_short_and_ends_at_rest(scale: float) -> None:
    streamer, now_s = Streamer(swing(), PANDA), 10.0
    while not streamer.finished(now_s):
        piece = streamer.piece(now_s, scale=scale)
        assert piece.time_s[-1] <= LEAD_S * scale + SWING_BRAKE_S + 0.06
        assert (np.diff(piece.time_s, prepend=0.0) > 0).all()
        np.testing.assert_array_equal(piece.velocity_rad_s[-1], np.zeros(7))
        now_s += 0.02 * scale


def test_in_time_the_arm_goes_as_planned() -> None:
    path = swing()
    streamer, now_s = Streamer(path, PANDA), 0.0
    while not streamer.finished(now_s):
        streamer.piece(now_s)
        now_s += 0.02
        assert streamer.place_s(now_s) == pytest.approx(min(now_s, path.duration_s))


def sent(piece: Piece, now_s: float) -> Sent:
    return Sent(now_s, piece.time_s, piece.position_rad, piece.velocity_rad_s)


@settings(max_examples=60, deadline=None)
@given(gaps=st.lists(st.floats(0.005, 0.6), min_size=5, max_size=40), scale=st.sampled_from([1.0, 3.0]))
def test_a_late_sender_never_makes_the_arm_exceed_its_limits(gaps: list[float], scale: float) -> None:
    path = swing()
    streamer, now_s, messages = Streamer(path, PANDA), 0.0, []
    for gap in gaps:
        messages.append(sent(streamer.piece(now_s, scale=scale), now_s))
        now_s += gap
    messages.append(sent(streamer.brake(now_s), now_s))
    told = followed(path.position_rad[0], messages, 0.0, now_s + 1.0)
    for limit, share in shares(PANDA, told).items():
        assert share <= 1.01, limit
    np.testing.assert_allclose(told[-1], streamer.told_rad(now_s + 1.0), atol=1e-9)


def test_without_more_pieces_the_arm_comes_to_rest() -> None:
    streamer = Streamer(swing(), PANDA)
    for k in range(40):
        streamer.piece(0.02 * k)
    silent_s, longest_s = 0.02 * 39, LEAD_S + SWING_BRAKE_S + 0.06
    assert streamer.place_s(silent_s + longest_s) == streamer.place_s(silent_s + 100.0)
    assert streamer.place_s(silent_s + 100.0) - streamer.place_s(silent_s) < longest_s


def test_it_knows_where_the_arm_had_been_told_to_be() -> None:
    """Also between two pieces that came late, when the arm was slowing down."""
    path = swing()
    streamer, now_s, told = Streamer(path, PANDA), 0.0, {}
    for gap in (0.02, 0.02, 0.02, 0.15, 0.02, 0.3, 0.02, 0.02, 0.1):
        streamer.piece(now_s)
        for at_s in np.arange(now_s, now_s + gap - 1e-9, 0.01):
            told[at_s] = path.sample(np.array([streamer.place_s(at_s)]))[0][0]
        now_s += gap
    for at_s, expected in told.items():
        np.testing.assert_allclose(streamer.told_rad(at_s), expected, atol=1e-12)


def test_before_it_was_told_anything_the_arm_is_at_the_beginning() -> None:
    path = swing()
    streamer = Streamer(path, PANDA)
    np.testing.assert_array_equal(streamer.told_rad(3.0), path.position_rad[0])
    streamer.piece(5.0)
    np.testing.assert_array_equal(streamer.told_rad(3.0), path.position_rad[0])


def test_brake_stops_on_the_path_as_soon_as_the_limits_allow() -> None:
    path = swing()
    streamer, messages = Streamer(path, PANDA), []
    for k in range(40):
        messages.append(sent(streamer.piece(0.02 * k), 0.02 * k))
    place_s = streamer.place_s(0.8)
    piece = streamer.brake(0.8)
    told = followed(path.position_rad[0], [*messages, sent(piece, 0.8)], 0.0, 1.5)[:, 0]
    moving_s = 0.001 * float(np.flatnonzero(np.abs(np.diff(told)) > 1e-7)[-1]) - 0.8
    # Straight from full braking to none would jerk: 0.03 s go into the two ends.
    assert SWING_BRAKE_S - 0.01 < moving_s < SWING_BRAKE_S + 0.05
    ahead = path.sample(np.array([place_s, place_s + 0.15]))[0][:, 0]
    assert ahead[0] <= piece.position_rad[-1, 0] <= ahead[1]


@pytest.mark.parametrize("tick_s", [0.02, 0.3])
def test_the_arm_waits_until_the_fingers_were_told(tick_s: float) -> None:
    path = swing(stop_s=2.0)
    streamer, now_s, told = Streamer(path, PANDA), 0.0, 0.08
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


def test_ages_are_told_in_steady_time_however_fast_the_arms_clock_runs() -> None:
    scale = ClockScale()
    for k in range(200):
        # Ten times as fast for two seconds, then hardly at all: a busy machine.
        scale.update(min(10.0 * 0.02 * k, 20.0) + 0.001 * k, 0.02 * k)
    now, steady = 20.199, 3.98
    assert scale.age_s(20.19, now, steady) == pytest.approx(0.18, abs=0.03)
    assert scale.age_s(10.05, now, steady) == pytest.approx(2.98, abs=0.05)
    assert scale.age_s(now, now, steady) == pytest.approx(0.0, abs=0.03)
    assert scale.age_s(now + 1.0, now, steady) < 0.0
    assert scale.age_s(-5.0, now, steady) == pytest.approx(25.199)
