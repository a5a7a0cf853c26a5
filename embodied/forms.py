# SPDX-License-Identifier: Apache-2.0
"""How things are shaped that are no box, cylinder or ball: turned about the vertical, or built of boxes.

What is seen is a mesh; what collides are convex parts, at most 16 of them: the simulator leaves out the others.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from embodied.things import Box, Mesh, Part, Triple

SIDES = 12
"""Boxes that the wall of a dish is made of; what is seen is twice as round."""


def turned(*profile: tuple[float, float]) -> Mesh:
    """A profile of (radius, height) in m, from the foot upwards on the outside, turned about the vertical.

    Where it ends a disc closes it, seen from above: a top, or the floor of a dish. It has no underside.
    """
    sides = 2 * SIDES
    vertices: list[Triple] = []
    triangles: list[int] = []
    circle = [(float(np.cos(a)), float(np.sin(a))) for a in 2.0 * np.pi * np.arange(sides) / sides]
    # Faces own their vertices: the renderer then shades each ring flat along the profile.
    for (r0, z0), (r1, z1) in itertools.pairwise(profile):
        first = len(vertices)
        for c, s in circle:
            vertices += [(r0 * c, r0 * s, z0), (r1 * c, r1 * s, z1)]
        for i in range(sides):
            a, b = first + 2 * i, first + 2 * ((i + 1) % sides)
            triangles += [a, b, b + 1, a, b + 1, a + 1]
    first = len(vertices)
    radius, height = profile[-1]
    vertices += [*((radius * c, radius * s, height) for c, s in circle), (0.0, 0.0, height)]
    for i in range(sides):
        triangles += [first + i, first + (i + 1) % sides, first + sides]
    return Mesh(vertices_m=tuple(vertices), triangles=tuple(triangles))


def walls(
    *, foot_m: float, rim_m: float, height_m: float, floor_m: float, wall_m: float, low_m: float = 0.0
) -> tuple[Part, ...]:
    """What a round dish collides as: a floor, and a ring of boxes that lean outwards; something rests in it.

    Its outer radii are `foot_m` below and `rim_m` above; it stands on z = `low_m`.
    """
    lean = float(np.arctan2(rim_m - foot_m, height_m))
    middle = 0.5 * (foot_m + rim_m) - 0.5 * wall_m
    slant = float(np.hypot(rim_m - foot_m, height_m))
    wide = 2.1 * rim_m * float(np.tan(np.pi / SIDES))
    floor = Box(size_m=(1.44 * foot_m, 1.44 * foot_m, floor_m))
    wall = Box(size_m=(wall_m, wide, slant))
    parts = [
        Part(shape=floor, position_m=(0.0, 0.0, low_m + 0.5 * floor_m), turn_rad=(0.0, 0.0, turn))
        for turn in (0.0, 0.25 * np.pi)
    ]
    for k in range(SIDES):
        angle = 2.0 * np.pi * k / SIDES
        place = (middle * float(np.cos(angle)), middle * float(np.sin(angle)), low_m + 0.5 * height_m)
        parts.append(Part(shape=wall, position_m=place, turn_rad=(0.0, lean, angle)))
    return tuple(parts)


def box(lower_m: Triple, upper_m: Triple) -> Part:
    """A cuboid between two corners."""
    low, high = np.array(lower_m), np.array(upper_m)
    x, y, z = (0.5 * (low + high)).tolist()
    width, depth, height = (high - low).tolist()
    return Part(shape=Box(size_m=(width, depth, height)), position_m=(x, y, z))


_CORNERS = tuple(itertools.product((-0.5, 0.5), repeat=3))
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
"""Corners of a box, its faces counter-clockwise seen from outside."""


def built(parts: Sequence[Part]) -> Mesh:
    """What upright boxes look like together. Let them overlap: edges in one place would not tell what is outside."""
    vertices: list[Triple] = []
    triangles: list[int] = []
    for part in parts:
        assert isinstance(part.shape, Box) and not any(part.turn_rad), part
        for face in _FACES:
            first = len(vertices)
            for corner in face:
                x, y, z = (np.array(part.position_m) + np.array(_CORNERS[corner]) * part.shape.size_m).tolist()
                vertices.append((x, y, z))
            triangles += [first, first + 1, first + 2, first, first + 2, first + 3]
    return Mesh(vertices_m=tuple(vertices), triangles=tuple(triangles))
