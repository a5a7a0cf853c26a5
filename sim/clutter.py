# SPDX-License-Identifier: Apache-2.0
"""Small things that no task names: they lie about at the edge of what the front camera sees, and touch nothing.

They are to be seen only. Nothing of a task stands where they lie, and none hides a place where something may stand.
"""

import colorsys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from embodied.geometry import upright
from embodied.things import Mesh, Triple
from embodied.types import Float
from sim import scene

CLEAR_M = ((0.23, 0.80), (-0.38, 0.38))
"""x and y range that is kept clear: things of a task, and on the camera's side what a high one would hide."""
FOOT_M = 0.18
"""As far as this around the arm's foot nothing lies."""
APART_M = 0.06
LIES_M = ((-0.15, 0.90), (-0.48, 0.48))
MOST = 12
_HEIGHT_M, _RADIUS_M = (0.01, 0.04), (0.012, 0.024)
_IN_VIEW = 0.93
"""Share of the half of a picture in which a centre lies."""
_LOW = ((0.48, 0.40, 0.70), (0.88, 0.40, 0.70), (0.12, 0.40, 0.40))
_HIGH = ((0.53, 0.75, 1.00), (0.95, 0.75, 1.00), (0.19, 0.75, 0.60))
"""Hue, saturation and value between those of things: turquoise, pink, olive."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Oddment:
    """A small thing without a name."""

    shape: Mesh
    position_m: Float  # (3,)
    orientation: Float  # (4,)
    rgb: Triple


def scattered(count: int, rng: np.random.Generator, world_from_camera: Float) -> tuple[Oddment, ...]:
    """`count` of them where the front camera, at the pose (4, 4), sees them."""
    assert 0 <= count <= MOST, count
    places: list[Float] = []
    while len(places) < count:
        place = np.array([*(rng.uniform(*bounds) for bounds in LIES_M), 0.0])
        if _is_free(place, places) and _is_seen(place, world_from_camera):
            places.append(place)
    return tuple(
        Oddment(
            shape=_SHAPES[rng.integers(len(_SHAPES))](rng.uniform(*_RADIUS_M), rng.uniform(*_HEIGHT_M)),
            position_m=place,
            orientation=upright(rng.uniform(-np.pi, np.pi)),
            rgb=_unnamed(rng),
        )
        for place in places
    )


def _is_free(place: Float, others: Sequence[Float]) -> bool:
    clear = all(low < value < high for value, (low, high) in zip(place, CLEAR_M, strict=False))
    apart = all(np.linalg.norm(place - other) > APART_M for other in others)
    return not clear and apart and bool(np.linalg.norm(place) > FOOT_M)


def _is_seen(place: Float, world_from_camera: Float) -> bool:
    x, y, depth = (place - world_from_camera[:3, 3]) @ world_from_camera[:3, :3]
    edge = _IN_VIEW * np.tan(0.5 * scene.CAMERAS["front"].field_of_view_rad) * depth
    return bool(max(abs(x), abs(y)) < edge)


def _unnamed(rng: np.random.Generator) -> Triple:
    """A colour that nothing of a task has."""
    which = rng.integers(len(_LOW))
    return colorsys.hsv_to_rgb(*rng.uniform(_LOW[which], _HIGH[which]))


def _ring(radii_m: Sequence[float], height_m: float) -> list[Triple]:
    """A closed line around the vertical, through a point at each of the radii."""
    turns = 2.0 * np.pi * np.arange(len(radii_m)) / len(radii_m)
    return [(r * float(np.cos(a)), r * float(np.sin(a)), height_m) for r, a in zip(radii_m, turns, strict=True)]


def _spire(radii_m: Sequence[float], height_m: float) -> Mesh:
    """From an outline on the table up to one point; its foot is never seen."""
    count = len(radii_m)
    sides = [index for i in range(count) for index in (i, (i + 1) % count, count)]
    return Mesh(vertices_m=(*_ring(radii_m, 0.0), (0.0, 0.0, height_m)), triangles=tuple(sides))


def _prism(radii_m: Sequence[float], height_m: float) -> Mesh:
    """Straight up from an outline on the table."""
    count = len(radii_m)
    triangles: list[int] = []
    for i in range(count):
        j = (i + 1) % count
        triangles += [i, j, count + j, i, count + j, count + i, count + i, count + j, 2 * count]
    vertices = (*_ring(radii_m, 0.0), *_ring(radii_m, height_m), (0.0, 0.0, height_m))
    return Mesh(vertices_m=vertices, triangles=tuple(triangles))


_SHAPES: tuple[Callable[[float, float], Mesh], ...] = (
    lambda radius_m, height_m: _spire([radius_m] * 12, height_m),  # a cone
    lambda radius_m, height_m: _spire([radius_m] * 4, height_m),  # a pyramid
    lambda radius_m, height_m: _prism([radius_m] * 3, height_m),  # a wedge
    lambda radius_m, height_m: _prism([1.3 * radius_m, 0.6 * radius_m] * 5, height_m),  # a star
)
