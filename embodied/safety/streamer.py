# SPDX-License-Identifier: Apache-2.0
"""Hands an accepted motion to the arm in short pieces that each end at rest.

The arm only ever knows the next fraction of a second, and every piece slows down to a stop by its
end. While pieces keep coming, the next one replaces the last before its slowing-down begins. When
they stop coming, for whatever reason, the arm comes to rest on the path and holds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from embodied.motion.path import TimedPath
from embodied.types import Float

HORIZON_S = 0.2
"""Length of a piece in steady time: how long the arm moves after the sender has died."""
BRAKE_SHARE = 0.7
"""Share of a piece that slows down."""
STOP_S = 0.14
"""Time in which `brake` stops the arm."""
_STEP_S = 0.02
_RISE_S = 0.2
_REMEMBERED = 64
"""Pieces that `told_rad` looks back on: more than a second of them at 50 Hz."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Points for the arm, counted from the moment the piece was made; the last is at rest."""

    time_s: Float  # (T,) increasing, first > 0
    position_rad: Float  # (T, N)
    velocity_rad_s: Float  # (T, N)
    gripper_width_m: float | None  # wanted now; None: as it is


@dataclass(frozen=True, kw_only=True)
class _Made:
    """When a piece was made, and where on the path it leads the arm how fast."""

    made_s: float
    grid_s: Float  # (T,) since made_s
    place_s: Float  # (T,)
    rate: Float  # (T,)

    def at(self, now_s: float) -> tuple[float, float]:
        """Place on the path and rate at `now_s`."""
        elapsed_s = max(now_s - self.made_s, 0.0)
        place = np.interp(elapsed_s, self.grid_s, self.place_s)
        return float(place), float(np.interp(elapsed_s, self.grid_s, self.rate))


class Streamer:
    """Where the arm is on one path, and how fast it goes along it (0 stands, 1 as planned).

    The sender may be late: then the arm has slowed down along the path as the last piece said, and
    the next piece goes on from that place and speed. It never jumps ahead to make up for lost time.
    """

    def __init__(self, path: TimedPath) -> None:
        self.path = path
        self._stops_s = path.gripper_stops_s()
        self._made: deque[_Made] = deque(maxlen=_REMEMBERED)

    def place_s(self, now_s: float) -> float:
        """Time along the path that the arm has been told to be at."""
        return self._now(now_s)[0]

    def told_rad(self, at_s: float) -> Float:
        """Where (N,) the arm had been told to be at `at_s`, which may lie a second back."""
        made = next((made for made in reversed(self._made) if made.made_s <= at_s), None)
        place_s = made.at(at_s)[0] if made else self._made[0].place_s[0] if self._made else 0.0
        position: Float = self.path.sample(np.array([place_s]))[0][0]
        return position

    def progress(self, now_s: float) -> float:
        """Share of the path that lies behind, in [0, 1]."""
        return self.place_s(now_s) / self.path.duration_s

    def finished(self, now_s: float) -> bool:
        """Whether the arm has been told to be at the end."""
        return self.place_s(now_s) >= self.path.duration_s - 1e-9

    def piece(self, now_s: float, *, scale: float = 1.0) -> Piece:
        """The next piece from `now_s` on the arm's clock, which runs at `scale` times steady time."""
        horizon_s = HORIZON_S * scale
        tau = _grid(horizon_s)
        place, rate = self._now(now_s)
        falling = (tau[-1] - tau) / (BRAKE_SHARE * tau[-1])
        return self._make(now_s, tau, place, np.minimum(1.0, np.minimum(rate + tau / _RISE_S, falling)))

    def brake(self, now_s: float) -> Piece:
        """A piece that stops the arm on the path, in at most STOP_S."""
        place, rate = self._now(now_s)
        tau = _grid(STOP_S)
        return self._make(now_s, tau, place, np.maximum(0.0, rate - tau / STOP_S))

    def _now(self, now_s: float) -> tuple[float, float]:
        return self._made[-1].at(now_s) if self._made else (0.0, 0.0)

    def _make(self, now_s: float, tau: Float, place_s: float, rate: Float) -> Piece:
        forward = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(tau))])
        # The arm waits where the gripper moves until the gripper has been told: whatever comes after
        # (a lift) relies on it, and gripper commands carry no time of their own.
        ahead = self._stops_s[self._stops_s > place_s + 1e-9]
        limit_s = min(ahead[0] if ahead.size else np.inf, self.path.duration_s)
        place = np.minimum(place_s + forward, limit_s)
        moving = place < limit_s
        position, velocity = self.path.sample(place)
        velocity = velocity * (rate * moving)[:, None]
        velocity[-1] = 0.0
        self._made.append(_Made(made_s=now_s, grid_s=tau, place_s=place, rate=rate))
        return Piece(
            time_s=tau[1:],
            position_rad=position[1:],
            velocity_rad_s=velocity[1:],
            gripper_width_m=self.path.gripper_width_at(place_s),
        )


def _grid(length_s: float) -> Float:
    return np.arange(round(length_s / _STEP_S) + 1, dtype=np.float64) * _STEP_S
