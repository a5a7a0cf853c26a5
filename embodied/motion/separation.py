# SPDX-License-Identifier: Apache-2.0
"""Distances between convex solids, many at once, and never too large: what is found between two of them is there."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embodied.motion.shapes import Solid
from embodied.types import Float

Indices = NDArray[np.intp]
_TINY = 1e-6
_NEXT, _LAST = [1, 2, 0], [2, 0, 1]


class Stack:
    """K solids as arrays. A *place* is where all of them are at T times: (K, T, 4, 4), in the base's frame."""

    def __init__(self, solids: Sequence[Solid]) -> None:
        self._body = np.array([solid.body for solid in solids])
        self._pose = np.array([solid.pose for solid in solids])
        self._box_m = np.array([solid.box_m for solid in solids])
        self._round_m = np.array([[solid.disc_m, solid.ball_m] for solid in solids]).T
        self._radius_m = np.array([solid.radius_m for solid in solids])

    def __len__(self) -> int:
        return len(self._body)

    def place(self, frames: Float) -> Float:
        """Where they are when the bodies are at `frames` (1 + N, T, 4, 4)."""
        place: Float = frames[self._body] @ self._pose[:, None]
        return place

    def lowest_m(self, place: Float, of: Indices) -> Float:
        """(T, len(of)) z of the lowest point of some of them; exact."""
        middle, down = place[of, :, 2, 3], place[of, :, 2, :3]
        lowest: Float = (middle - self._extent_m(down, of[:, None])).T
        return lowest

    def about_m(self, place: Float, a: Indices, b: Indices) -> Float:
        """(T, P) distances of the balls about the solids `a` (P,) and `b` (P,): quick, and mostly enough."""
        way = place[b, :, :3, 3] - place[a, :, :3, 3]
        return np.asarray((np.sqrt(_dot(way, way)) - (self._radius_m[a] + self._radius_m[b])[:, None]).T)

    def apart_m(self, place: Float, at: Indices, a: Indices, b: Indices) -> Float:
        """(M,) distances of the solids `a` (M,) and `b` (M,) at the times `at` (M,); below 0 where they may touch.

        The widest gap between two parallel planes that separate the two: along their axes, the products of these,
        and the way from one to the other.
        """
        turn_a, turn_b = place[a, at, :3, :3], place[b, at, :3, :3]
        way = place[b, at, :3, 3] - place[a, at, :3, 3]
        axes_a, axes_b = turn_a.swapaxes(1, 2), turn_b.swapaxes(1, 2)
        across = _cross(axes_a[:, :, None], axes_b[:, None]).reshape(-1, 9, 3)
        flat = [way - _dot(way, axes[:, 2])[:, None] * axes[:, 2] for axes in (axes_a, axes_b)]
        normals = np.concatenate([axes_a, axes_b, across, np.stack([way, *flat], axis=1)], axis=1)
        lengths = np.sqrt(_dot(normals, normals))[:, :, None]
        # Of parallel axes there is no product, and any other normal stands in for it.
        normals = np.where(lengths > _TINY, normals / np.maximum(lengths, _TINY), axes_a[:, :1])
        gaps = np.abs((normals @ way[:, :, None])[:, :, 0])
        gaps -= self._extent_m(normals @ turn_a, a[:, None]) + self._extent_m(normals @ turn_b, b[:, None])
        widest: Float = gaps.max(axis=1)
        return widest

    def _extent_m(self, normal: Float, of: Indices) -> Float:
        """How far solids reach from their middle along a unit `normal` (..., 3) in their own frames."""
        along, (disc, ball) = np.abs(normal), self._round_m[:, of]
        flat = normal[..., 0] ** 2 + normal[..., 1] ** 2
        extent: Float = _dot(along, self._box_m[of]) + disc * np.sqrt(flat) + ball
        return extent


def _cross(one: Float, other: Float) -> Float:
    """Cross products (..., 3); numpy's own costs more than all of the rest."""
    product: Float = one[..., _NEXT] * other[..., _LAST] - one[..., _LAST] * other[..., _NEXT]
    return product


def _dot(one: Float, other: Float) -> Float:
    """Products of vectors (..., 3)."""
    product: Float = np.einsum("...i,...i->...", one, other)
    return product
