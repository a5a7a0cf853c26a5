# SPDX-License-Identifier: Apache-2.0
"""From waypoints of the hand to a timed joint motion within the limits of the arm.

Straight lines with rounded corners are sampled, solved by inverse kinematics, joined by a cubic
spline over the length of the way, and then driven as fast as velocity and acceleration limits allow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodied.arm import ArmFeatures
from embodied.errors import UnreachableError
from embodied.kinematics import Chain
from embodied.skills import HandPose, Waypoint
from embodied.types import Float, JointTrajectory

STEP_S = 0.025
SPACING_M = 0.025
CORNER_M = 0.05
_VELOCITY_SHARE = 0.8
_ACCELERATION_SHARE = 0.5
_METRES_PER_RAD = 0.1
"""A turn of the hand counts as way, or a turn on the spot would have no length."""
_GRID_M = 0.005


def plan_motion(
    chain: Chain,
    features: ArmFeatures,
    q_start_rad: Float,
    gripper_width_m: float,
    waypoints: Sequence[Waypoint],
) -> JointTrajectory:
    """Plan the motion from rest at `q_start_rad` (7,) through `waypoints` to rest.

    Where the last waypoint is the hand pose of `features.home_rad`, the arm ends in exactly these
    joint angles. Raises UnreachableError.
    """
    if not (np.isfinite(q_start_rad).all() and np.isfinite(gripper_width_m)):
        raise UnreachableError("the joint angles that the motion starts from are not finite")
    pieces: list[_Piece] = []
    q, width = np.asarray(q_start_rad, dtype=np.float64), float(gripper_width_m)
    pose = HandPose.from_matrix(chain.forward(q))
    first = 0
    for last, stop in enumerate(waypoints):
        if stop.dwell_s <= 0.0 and last + 1 < len(waypoints):
            continue
        run = waypoints[first : last + 1]
        end_rad = _home_if_there(chain, features, stop) if last + 1 == len(waypoints) else None
        piece = _move(chain, features, q, pose, width, run, end_rad)
        if piece is not None:
            pieces.append(piece)
            q = piece.position_rad[-1]
        pose, width, first = stop.pose, stop.gripper_width_m, last + 1
        # At least one point, so that the last width is said even where nothing dwells.
        count = max(1, round(stop.dwell_s / STEP_S))
        pieces.append(_Piece(np.tile(q, (count, 1)), np.zeros((count, len(q))), np.full(count, width)))
    position = np.concatenate([piece.position_rad for piece in pieces])
    return JointTrajectory(
        joint_names=features.joint_names,
        time_s=STEP_S * np.arange(1, len(position) + 1, dtype=np.float64),
        position_rad=position,
        velocity_rad_s=np.concatenate([piece.velocity_rad_s for piece in pieces]),
        gripper_width_m=np.concatenate([piece.width_m for piece in pieces]),
    )


class _Piece:
    """Points STEP_S apart between two stops, without the first."""

    def __init__(self, position_rad: Float, velocity_rad_s: Float, width_m: Float) -> None:
        self.position_rad = position_rad
        self.velocity_rad_s = velocity_rad_s
        self.width_m = width_m


def _home_if_there(chain: Chain, features: ArmFeatures, stop: Waypoint) -> Float | None:
    home = chain.forward(features.home_rad)
    return features.home_rad if np.allclose(home, stop.pose.matrix(), atol=5e-3) else None


def _move(
    chain: Chain,
    features: ArmFeatures,
    q_start: Float,
    start: HandPose,
    width: float,
    run: Sequence[Waypoint],
    end_rad: Float | None,
) -> _Piece | None:
    """One motion from rest to rest past all of `run` but its last; None where it has no length."""
    way = _way(start, run)
    if way is None:
        return None
    hands, speed, passed, length = way
    joints = [q_start]
    for hand in hands[1:]:
        target = HandPose(position_m=hand[:3], yaw_rad=float(hand[3])).matrix()
        joints.append(chain.inverse(target, joints[-1], rest_rad=features.home_rad))
    knots = np.array(joints)
    if end_rad is not None:
        # The redundant joint may come home a little off; spread the difference over the last stretch.
        free = length > (passed[-2] if len(passed) > 1 else 0.0)
        share = np.zeros(len(length))
        share[free] = np.linspace(0.0, 1.0, int(free.sum()) + 1)[1:]
        share = share * share * (3.0 - 2.0 * share)
        knots += share[:, None] * (end_rad - knots[-1])
    spline = _Spline(length, knots)
    place, rate = _fastest(spline, features, length, speed)
    position, velocity = spline.at(place)
    velocity *= rate[:, None]
    # Fingers take the width of a waypoint once the hand has passed it.
    widths = np.array([width, *(stop.gripper_width_m for stop in run[:-1])])
    return _Piece(position, velocity, widths[np.searchsorted(passed[:-1], place, side="left")])


def _way(start: HandPose, run: Sequence[Waypoint]) -> tuple[Float, Float, Float, Float] | None:
    """Samples (M, 4) of x, y, z, yaw; speed (M,) there; the length at which each waypoint is passed;
    and the length (M,) so far."""
    points = np.array([_row(start), *(_row(stop.pose) for stop in run)])
    sizes = [_size(step) for step in np.diff(points, axis=0)]
    samples, speeds, passed = [points[0]], [run[0].speed_m_s], []
    corner_before = 0.0
    for i, (stop, size) in enumerate(zip(run, sizes, strict=True)):
        if size > 1e-6:
            ahead = sizes[i + 1] if i + 1 < len(sizes) else 0.0
            corner = min(CORNER_M, 0.45 * size, 0.45 * ahead) if ahead > 1e-6 else 0.0
            a, b = points[i], points[i + 1]
            share = np.linspace(corner_before / size, 1.0 - corner / size, 2 + int(size / SPACING_M))[1:]
            samples += list(a + share[:, None] * (b - a))
            speeds += [stop.speed_m_s] * len(share)
            if corner > 0.0:
                enter, leave = samples[-1], b + (points[i + 2] - b) * (corner / ahead)
                u = np.linspace(0.0, 1.0, 5)[1:, None]
                samples += list((1 - u) ** 2 * enter + 2 * u * (1 - u) * b + u**2 * leave)
                speeds += [min(stop.speed_m_s, run[i + 1].speed_m_s)] * 4
            corner_before = corner
        passed.append(len(samples) - 1)
    hands = np.array(samples)
    length = np.concatenate([[0.0], np.cumsum([_size(step) for step in np.diff(hands, axis=0)])])
    if length[-1] < 1e-5:
        return None
    keep = np.concatenate([[True], np.diff(length) > 1e-7])
    return hands[keep], np.array(speeds)[keep], length[passed], length[keep]


def _row(pose: HandPose) -> Float:
    return np.append(pose.position_m, pose.yaw_rad)


def _size(step: Float) -> float:
    return float(np.hypot(np.linalg.norm(step[:3]), _METRES_PER_RAD * step[3]))


class _Spline:
    """Natural cubic spline through `knots` (M, 7) at lengths (M,)."""

    def __init__(self, length: Float, knots: Float) -> None:
        self._length, self._knots = length, knots
        h = np.diff(length)
        system = np.diag(np.concatenate([[1.0], 2.0 * (h[:-1] + h[1:]), [1.0]]))
        inner = np.arange(1, len(length) - 1)
        system[inner, inner - 1], system[inner, inner + 1] = h[:-1], h[1:]
        slope = np.diff(knots, axis=0) / h[:, None]
        right = np.zeros_like(knots)
        right[1:-1] = 6.0 * np.diff(slope, axis=0)
        self._bend = np.linalg.solve(system, right)

    def at(self, place: Float) -> tuple[Float, Float]:
        """Positions and first derivatives (N, 7)."""
        i, h, a, b = self._cell(place)
        m0, m1, y0, y1 = self._bend[i], self._bend[i + 1], self._knots[i], self._knots[i + 1]
        position = a * y0 + b * y1 + ((a**3 - a) * m0 + (b**3 - b) * m1) * h * h / 6.0
        slope = (y1 - y0) / h + ((3.0 * b * b - 1.0) * m1 - (3.0 * a * a - 1.0) * m0) * h / 6.0
        return position, slope

    def bend(self, place: Float) -> Float:
        """Second derivatives (N, 7)."""
        i, _, a, b = self._cell(place)
        bend: Float = a * self._bend[i] + b * self._bend[i + 1]
        return bend

    def _cell(
        self, place: Float
    ) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.intp]], Float, Float, Float]:
        i = np.clip(np.searchsorted(self._length, place, side="right") - 1, 0, len(self._length) - 2)
        h = (self._length[i + 1] - self._length[i])[:, None]
        b = (place - self._length[i])[:, None] / h
        return i, h, 1.0 - b, b


def _fastest(spline: _Spline, features: ArmFeatures, length: Float, speed: Float) -> tuple[Float, Float]:
    """Places (N,) on the way every STEP_S, and the rates (N,) at which they are passed.

    Half of the acceleration is left to the bends of the way, half to getting faster and slower along
    it: together they stay within the limit at every place.
    """
    cells = max(20, int(np.ceil(length[-1] / _GRID_M)))
    grid = np.linspace(0.0, length[-1], cells + 1)
    ds = grid[1]
    slope = np.abs(spline.at(grid)[1]) + 1e-9
    bend = np.abs(spline.bend(grid)) + 1e-9
    acceleration = 0.5 * _ACCELERATION_SHARE * features.max_acceleration_rad_s2
    velocity = _VELOCITY_SHARE * features.max_velocity_rad_s
    # The next sample's speed holds up to it, so the slower of a pair of samples rules between them.
    cell = np.searchsorted(length, grid, side="left").clip(0, len(length) - 1)
    square = np.minimum.reduce(
        [((velocity / slope) ** 2).min(axis=1), (acceleration / bend).min(axis=1), speed[cell] ** 2]
    )
    square[1:-1] = np.minimum.reduce([square[:-2], square[1:-1], square[2:]])
    square[0] = square[-1] = 0.0
    gain = (acceleration / slope).min(axis=1)
    gain = 2.0 * ds * np.minimum(gain[:-1], gain[1:])
    best, gains = square.tolist(), gain.tolist()
    for k in range(cells):
        best[k + 1] = min(best[k + 1], best[k] + gains[k])
    for k in range(cells - 1, -1, -1):
        best[k] = min(best[k], best[k + 1] + gains[k])
    rate = np.sqrt(np.array(best))
    time = np.concatenate([[0.0], np.cumsum(2.0 * ds / (rate[:-1] + rate[1:]))])
    count = int(np.ceil(time[-1] / STEP_S))
    # Stretched to whole steps: never faster than planned.
    stretch = time[-1] / (count * STEP_S)
    at = np.linspace(0.0, time[-1], count + 1)[1:]
    i = np.clip(np.searchsorted(time, at, side="right") - 1, 0, cells - 1)
    tau, span = at - time[i], time[i + 1] - time[i]
    gain_rate = (rate[i + 1] - rate[i]) / span
    place = grid[i] + rate[i] * tau + 0.5 * gain_rate * tau**2
    return np.minimum(place, length[-1]), stretch * (rate[i] + gain_rate * tau)
