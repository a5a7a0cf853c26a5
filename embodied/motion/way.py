# SPDX-License-Identifier: Apache-2.0
"""The way of the hand past waypoints: straight lines with rounded corners, as samples."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embodied.motion.hand import HandPose, Waypoint, slerp, turn_between
from embodied.types import Float

SPACING_M = 0.025
CORNER_M = 0.05
_METRES_PER_RAD = 0.1
"""A turn of the hand counts as way, or a turn on the spot would have no length."""
KNOT_M = 0.0012
"""Knots nearer to each other than this would bend the curve by the noise of inverse kinematics."""


def way_through(start: HandPose, run: Sequence[Waypoint]) -> tuple[Float, Float, Float, Float] | None:
    """Samples (M, 7) of x, y, z and orientation; speed (M,) there; the length at which each waypoint is
    passed; and the length (M,) so far."""
    points = np.array([_row(start), *(_row(stop.pose) for stop in run)])
    sizes = _sizes(points)
    samples, speeds, passed, corner_before = [points[0]], [run[0].speed_m_s], [], 0.0
    for i, (stop, size) in enumerate(zip(run, sizes, strict=True)):
        if size > 1e-6:
            ahead = sizes[i + 1] if i + 1 < len(sizes) else 0.0
            corner = min(CORNER_M, 0.45 * size, 0.45 * ahead) if ahead > 1e-6 else 0.0
            a, b = points[i], points[i + 1]
            share = np.linspace(corner_before / size, 1.0 - corner / size, 2 + int(size / SPACING_M))[1:]
            samples += list(_between(a, b, share))
            speeds += [stop.speed_m_s] * len(share)
            if corner > 0.0:
                leave = _between(b, points[i + 2], np.array([corner / ahead]))[0]
                samples += list(_corner(samples[-1], b, leave))
                speeds += [min(stop.speed_m_s, run[i + 1].speed_m_s)] * 4
            corner_before = corner
        passed.append(len(samples) - 1)
    hands = np.array(samples)
    length = np.concatenate([[0.0], np.cumsum(_sizes(hands))])
    if length[-1] < 1e-5:
        return None
    keep = _knots(length)
    return hands[keep], np.array(speeds)[keep], length[passed], length[keep]


def _knots(length: Float) -> NDArray[np.bool_]:
    """Which of the samples at lengths (M,) the curve goes through: both ends, and between them none that is
    nearer than KNOT_M to another."""
    keep, last = np.zeros(len(length), dtype=bool), length[0]
    keep[0] = keep[-1] = True
    for k in range(1, len(length) - 1):
        if min(length[k] - last, length[-1] - length[k]) >= KNOT_M:
            keep[k], last = True, length[k]
    return keep


def _row(pose: HandPose) -> Float:
    return np.concatenate([pose.position_m, pose.orientation])


def _between(a: Float, b: Float, share: Float) -> Float:
    """(N, 7) at `share` (N,) of the straight way from `a` (N,) to `b` (N,)."""
    places = a[:3] + share[:, None] * (b[:3] - a[:3])
    return np.hstack([places, slerp(a[3:], b[3:], share)])


def _corner(enter: Float, corner: Float, leave: Float) -> Float:
    """(4, 7) samples of the arc (a quadratic Bezier curve) that rounds a corner."""
    u = np.linspace(0.0, 1.0, 5)[1:, None]
    # A quaternion and its negative are one orientation: take those on one side.
    ends = [row * np.where(np.arange(7) < 3, 1.0, np.sign(row[3:] @ corner[3:])) for row in (enter, leave)]
    arc = (1 - u) ** 2 * ends[0] + 2 * u * (1 - u) * corner + u**2 * ends[1]
    arc[:, 3:] /= np.linalg.norm(arc[:, 3:], axis=1, keepdims=True)
    return np.asarray(arc)


def _sizes(rows: Float) -> list[float]:
    """Lengths of the steps from each row (M, 7) to the next."""
    return [
        float(np.hypot(np.linalg.norm(b[:3] - a[:3]), _METRES_PER_RAD * turn_between(a[3:], b[3:])))
        for a, b in itertools.pairwise(rows)
    ]
