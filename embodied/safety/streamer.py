# SPDX-License-Identifier: Apache-2.0
"""Hands an accepted motion to the arm in short pieces that each end at rest.

The arm only ever knows the next fraction of a second, and every piece slows down to a stop by its end. While pieces
keep coming, the next one replaces the last before its slowing-down begins. When they stop coming, for whatever reason,
the arm comes to rest on the path and holds. What is checked against the limits is the piece itself, as it is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from embodied.arm import ArmModel
from embodied.errors import UnsafeCommandError
from embodied.motion.path import TimedPath
from embodied.safety.rate import RAMP_S, Rate, change
from embodied.safety.singular import slowed
from embodied.safety.splice import Curve
from embodied.types import Float, JointTrajectory

LEAD_S = 0.06
"""Steady time for which a piece goes on before it slows down: how late the next one may come unnoticed."""
SPARE = 0.95
"""Share of the limits of acceleration and jerk that a motion uses at most while it goes on evenly."""
_STEP_S = 0.02
_NEAREST_S = 0.001
"""Points of a piece are at least this far apart, or the rounding of stamps would tell as acceleration."""
_SHORTEST_S = 0.1
_SLOWEST = 0.1
_REMEMBERED = 64
_REMEMBERED_S = 3.0
"""Pieces, and streamers before this one, that `told_rad` looks back on: more than a second of them at 50 Hz."""
_GAINS = (1.0, 0.4, 0.15, 0.0)
"""Shares of the way back to the full rate that are tried in one piece."""
_SHARES = (1.0, 0.95, 0.88, 0.78, 0.65, 0.45, 0.25)
"""Shares of the limits of acceleration that are tried for slowing down, until all limits hold in between too."""
_TABLE_S = 0.005
_AHEAD_S = 0.4
"""How far ahead it is looked whether the arm has to go slower: as long as it takes to."""
_WITHIN, _BEYOND_RAD = 1.0 + 1e-6, 1e-3


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Points for the arm, counted from the moment the piece was made; the last is at rest."""

    time_s: Float  # (T,) increasing, first > 0
    position_rad: Float  # (T, N)
    velocity_rad_s: Float  # (T, N)
    gripper_width_m: float | None  # wanted now; None: as it is


@dataclass(frozen=True, kw_only=True)
class _Made:
    """When a piece was made, and how fast it leads the arm along the path."""

    made_s: float
    rate: Rate
    limit_s: float  # place on the path that it does not pass
    curve: TimedPath
    """What the arm makes of its points, from the moment it was made: between them it is a little off the path."""

    def at(self, now_s: float) -> tuple[float, float, float]:
        """Place on the path, rate and its slope at `now_s`."""
        place, rate, slope = self.rate.at(np.array([max(now_s - self.made_s, 0.0)]))
        return min(float(place[0]), self.limit_s), float(rate[0]), float(slope[0])


class Streamer:
    """Where the arm is on one path, and how fast it goes along it (0 stands, 1 as planned).

    The sender may be late: then the arm has slowed down along the path as the last piece said, and the next piece
    goes on from that place and speed. It never jumps ahead to make up for lost time.
    """

    def __init__(self, path: TimedPath, model: ArmModel) -> None:
        self.path = path
        self._model = model
        self._stops_s = path.gripper_stops_s()
        # Of each joint, at times _TABLE_S apart: its speed, and the acceleration that is in the way of braking.
        moments = np.arange(0.0, path.duration_s + 2.0 * _TABLE_S, _TABLE_S)
        speed = path.sample(moments)[1]
        self._bend = np.sign(speed) * np.gradient(speed, _TABLE_S, axis=0)
        self._speed = np.maximum(np.abs(speed), 1e-6)
        self._slow_s, self._slow = slowed(model, path)
        _, acceleration, jerk = (share.max() for share in model.shares(path))
        self._full = float(min(1.0, np.sqrt(SPARE / max(acceleration, 1e-9)), np.cbrt(SPARE / max(jerk, 1e-9))))
        """The rate of a path that leaves nothing of its limits for slowing down."""
        self._made: deque[_Made] = deque(maxlen=_REMEMBERED)
        self._before: tuple[float, Streamer] | None = None

    def place_s(self, now_s: float) -> float:
        """Time along the path that the arm has been told to be at."""
        return self._now(now_s)[0]

    def told_rad(self, at_s: float) -> Float:
        """Where (N,) the arm had been told to be at `at_s`, which may lie a second back."""
        if self._before is not None and at_s < self._before[0]:
            return self._before[1].told_rad(at_s)
        made = next((made for made in reversed(self._made) if made.made_s <= at_s), None)
        place_s = made.at(at_s)[0] if made else self._made[0].rate.place_s[0] if self._made else 0.0
        position: Float = self.path.sample(np.array([place_s]))[0][0]
        return position

    def told(self, now_s: float) -> tuple[Float, Float]:
        """Position and velocity (N,) that the arm has been told to have at `now_s`."""
        place, rate, _ = self._now(now_s)
        [position], [velocity] = self.path.sample(np.array([place]))
        return position, velocity * rate

    def ahead(self, now_s: float) -> Curve:
        """Where the arm goes from `now_s` on, at times counted from there: on at the same rate, or as sent last."""
        place, rate, slope = self._now(now_s)
        limit_s = self._limit_s(place)

        def curve(time_s: Float) -> tuple[Float, Float]:
            if slope == 0.0:
                places, rates = place + rate * time_s, np.full(time_s.shape, rate)
            else:
                last = self._made[-1]
                places, rates, _ = last.rate.at(time_s + (now_s - last.made_s))
            position, velocity = self.path.sample(np.minimum(places, limit_s))
            return position, velocity * (rates * (places < limit_s))[:, None]

        return curve

    def follow(self, path: TimedPath, now_s: float) -> Streamer:
        """The streamer of a path that takes over at `now_s`, where this one has led the arm."""
        after = Streamer(path, self._model)
        after._before = (now_s, self)
        oldest = self
        while oldest._before is not None and now_s - oldest._before[0] < _REMEMBERED_S:
            oldest = oldest._before[1]
        oldest._before = None
        return after

    def width_m(self, now_s: float) -> float:
        """The width that the fingers have been told."""
        return self.path.gripper_width_at(self.place_s(now_s))

    def progress(self, now_s: float) -> float:
        """Share of the path that lies behind, in [0, 1]."""
        return self.place_s(now_s) / self.path.duration_s

    def finished(self, now_s: float) -> bool:
        """Whether the arm has been told to be at the end."""
        return self.place_s(now_s) >= self.path.duration_s - 1e-9

    def piece(self, now_s: float, *, scale: float = 1.0) -> Piece:
        """The next piece from `now_s` on the arm's clock, which runs at `scale` times steady time.

        A motion that begins at rest and could not be stopped again after the first piece is led more slowly all
        along. Raises UnsafeCommandError where there is no way at all.
        """
        planned = self._full
        while True:
            try:
                return self._next(now_s, scale)
            except UnsafeCommandError:
                # One that takes over from another has the speed that the arm has.
                if self._made or self._before is not None or self._full < _SLOWEST:
                    self._full = planned
                    raise
                self._full *= 0.7

    def _next(self, now_s: float, scale: float) -> Piece:
        place, rate, slope = self._now(now_s)
        lead_s = LEAD_S * scale
        ahead_s = np.linspace(place, place + lead_s + _AHEAD_S, 8)
        most = min(self._full, float(np.interp(ahead_s, self._slow_s, self._slow).min()))

        def ways() -> Iterator[Rate]:
            for gain in _GAINS:
                time_s, slopes = change(rate, slope, rate + gain * (most - rate), lead_s)
                lead = Rate.over(time_s, slopes, rate, place)
                for share in _SHARES:
                    then = self._brake(float(lead.place_s[-1]), float(lead.rate[-1]), 0.0, share)
                    yield Rate.over(
                        np.append(time_s, lead_s + then[0][1:]), np.append(slopes, then[1][1:]), rate, place
                    )

        return self._first_within(now_s, place, ways())

    def take_back(self) -> None:
        """The piece that was made last was not sent: the arm goes on as the one before it says."""
        self._made.pop()

    def brake(self, now_s: float) -> Piece:
        """A piece that stops the arm on the path as soon as its limits allow."""
        place, rate, slope = self._now(now_s)
        brakes = (self._brake(place, rate, slope, share) for share in _SHARES)
        return self._first_within(now_s, place, (Rate.over(*each, rate, place) for each in brakes))

    def _now(self, now_s: float) -> tuple[float, float, float]:
        return self._made[-1].at(now_s) if self._made else (0.0, self._full, 0.0)

    def _brake(self, place_s: float, rate: float, slope_hz: float, share: float) -> tuple[Float, Float]:
        """Times and slopes that bring the arm to rest with this share of its limits of acceleration.

        Along a path the acceleration is q'' r^2 + q' u at the rate r and its slope u: each step takes the steepest
        slope that all joints allow. None (u = 0) is always allowed on a path that is.
        """
        time_s, slopes, now_s, step_s = [0.0], [slope_hz], 0.0, 0.5 * _STEP_S
        limit = share * self._model.max_acceleration_rad_s2
        while rate > 1e-9:
            at = min(int((place_s + rate * step_s) / _TABLE_S), len(self._speed) - 1)
            allowed = (limit + self._bend[at] * rate * rate) / self._speed[at]
            steepest = -max(float(allowed.min()), 0.02)
            after = rate + 0.5 * step_s * (slope_hz + steepest)
            if after <= -0.5 * RAMP_S * steepest:
                # The last of it: the slope fades away as the rate does.
                break
            now_s += step_s
            place_s, rate, slope_hz = place_s + 0.5 * step_s * (rate + after), after, steepest
            step_s = _STEP_S
            time_s.append(now_s)
            slopes.append(slope_hz)
        ends = change(rate, slope_hz, 0.0, max(2.0 * rate / max(-slope_hz, 0.5 * rate / _STEP_S, 1e-9), _NEAREST_S))
        begin_s = time_s[-1]
        return np.append(time_s, begin_s + ends[0][1:]), np.append(slopes, ends[1][1:])

    def _first_within(self, now_s: float, place_s: float, ways: Iterable[Rate]) -> Piece:
        """The piece of the first way that the arm can go; the rest of the piece before where it can go none.

        Raises UnsafeCommandError where there is no such rest: the arm stands.
        """
        limit_s, begin = self._limit_s(place_s), self._sent_to(now_s)
        for rate in ways:
            if rate.rate.min() < -1e-9:
                continue
            piece, curve = self._points(rate, limit_s, begin)
            if self._within(curve):
                break
        else:
            # The rest of a piece is within the limits as the whole of it was.
            rate = self._rest(now_s)
            piece, curve = self._points(rate, limit_s, begin)
        self._made.append(_Made(made_s=now_s, rate=rate, limit_s=limit_s, curve=curve))
        return piece

    def _sent_to(self, now_s: float) -> tuple[Float, Float]:
        """Position and velocity (N,) at `now_s` on the curve through the points that were sent."""
        if self._made:
            position, velocity = self._made[-1].curve.sample(np.array([now_s - self._made[-1].made_s]))
        elif self._before is not None:
            return self._before[1]._sent_to(now_s)
        else:
            position, velocity = self.path.sample(np.zeros(1))
        return position[0], velocity[0]

    def _rest(self, now_s: float) -> Rate:
        last = self._made[-1] if self._made else None
        elapsed_s = now_s - last.made_s if last else 0.0
        if last is None or not (ahead := last.rate.time_s > elapsed_s + 1e-9).any():
            raise UnsafeCommandError("there is no way to send this motion on within the limits of the arm")
        place, rate, slope = last.rate.at(np.array([elapsed_s]))
        time_s = np.concatenate([[0.0], last.rate.time_s[ahead] - elapsed_s])
        slopes = np.concatenate([slope, last.rate.slope_hz[ahead]])
        return Rate.over(time_s, slopes, float(rate[0]), float(place[0]))

    def _limit_s(self, place_s: float) -> float:
        # The arm waits where the gripper moves until the gripper has been told: whatever comes after
        # (a lift) relies on it, and gripper commands carry no time of their own.
        ahead = self._stops_s[self._stops_s > place_s + 1e-9]
        return float(min(ahead[0] if ahead.size else np.inf, self.path.duration_s))

    def _points(self, rate: Rate, limit_s: float, begin: tuple[Float, Float]) -> tuple[Piece, TimedPath]:
        """The piece, and the curve that the arm makes of it from the position and velocity (N,) that it has."""
        time_s = _grid(rate, self.path.time_s, limit_s)
        place, rates, _ = rate.at(time_s)
        position, velocity = self.path.sample(np.minimum(place, limit_s))
        velocity = velocity * (rates * (place < limit_s - 1e-9))[:, None]
        velocity[-1] = 0.0
        width_m = self.path.gripper_width_at(float(rate.place_s[0]))
        trajectory = JointTrajectory(
            joint_names=self._model.joint_names,
            time_s=time_s,
            position_rad=position,
            velocity_rad_s=velocity,
            gripper_width_m=np.full(len(time_s), width_m),
        )
        piece = Piece(time_s=time_s, position_rad=position, velocity_rad_s=velocity, gripper_width_m=width_m)
        return piece, TimedPath(trajectory, begin)

    def _within(self, curve: TimedPath) -> bool:
        model, begin = self._model, curve.position_rad[0]
        low, high = curve.peak_position_rad()
        return bool(
            all((share <= _WITHIN).all() for share in model.shares(curve))
            and (model.lower_rad - low <= _BEYOND_RAD + np.maximum(model.lower_rad - begin, 0.0)).all()
            and (high - model.upper_rad <= _BEYOND_RAD + np.maximum(begin - model.upper_rad, 0.0)).all()
        )


def _grid(rate: Rate, knots_s: Float, limit_s: float) -> Float:
    """Times (T,) of the points of a piece: where the path has its own, and every 0.02 s where the rate changes.

    Where the rate is even, the curve between the path's own points is then the path itself.
    """
    end_s = float(rate.time_s[-1])
    fine = np.linspace(0.0, end_s, int(end_s / 0.004) + 2)
    place = rate.at(fine)[0]
    if place[-1] > limit_s:
        end_s = float(np.interp(limit_s, place, fine))
    own = np.interp(knots_s[(knots_s > place[0]) & (knots_s < min(place[-1], limit_s))], place, fine)
    varies = (rate.slope_hz[:-1] != 0.0) | (rate.slope_hz[1:] != 0.0)
    cells = zip(rate.time_s[:-1][varies], rate.time_s[1:][varies], strict=True)
    even = [np.linspace(begin, end, int((end - begin) / _STEP_S - 1e-6) + 2) for begin, end in cells]
    own = own[(own >= _NEAREST_S) & (own <= end_s - _NEAREST_S)]
    between = np.concatenate([*even, [0.0]])
    gaps = np.abs(between[:, None] - np.concatenate([[0.0, end_s], own])).min(axis=1)
    points = np.unique(np.concatenate([own, between[(gaps >= _NEAREST_S) & (between < end_s)], [end_s]]))
    # Stamps are whole nanoseconds. A piece that was over when it arrived would be refused.
    rest_s = np.array([_SHORTEST_S] if end_s < _SHORTEST_S - _NEAREST_S else [])
    return np.round(np.concatenate([points[points >= _NEAREST_S], rest_s]), 9)
