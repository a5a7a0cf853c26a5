# SPDX-License-Identifier: Apache-2.0
"""A bowl: a shallow round dish that stays where it is."""

import itertools

import numpy as np

from embodied.things import Box, Mesh, Part, Thing, Triple, register

RADIUS_M = 0.06
FLOOR_RADIUS_M = 0.045
HEIGHT_M = 0.035
FLOOR_M = 0.01
WALL_M = 0.006
SIDES = 12


def _mesh() -> Mesh:
    """It stands on z = 0: a turned profile, both sides outward."""
    # Outer foot, outer rim, inner rim, inner floor, then the centre of the floor.
    outer, inner = RADIUS_M, RADIUS_M - WALL_M
    profile = ((FLOOR_RADIUS_M, 0.0), (outer, HEIGHT_M), (inner, HEIGHT_M), (FLOOR_RADIUS_M - WALL_M, FLOOR_M))
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


def _collision() -> tuple[Part, ...]:
    """A floor and a ring of boxes that lean outwards: convex pieces, so a block rests in it."""
    lean = float(np.arctan2(RADIUS_M - FLOOR_RADIUS_M, HEIGHT_M))
    middle = 0.5 * (FLOOR_RADIUS_M + RADIUS_M) - 0.5 * WALL_M
    slant = float(np.hypot(RADIUS_M - FLOOR_RADIUS_M, HEIGHT_M))
    wide = 2.1 * RADIUS_M * float(np.tan(np.pi / SIDES))
    floor = Box(size_m=(1.44 * FLOOR_RADIUS_M, 1.44 * FLOOR_RADIUS_M, FLOOR_M))
    wall = Box(size_m=(WALL_M, wide, slant))
    parts = [
        Part(shape=floor, position_m=(0.0, 0.0, 0.5 * FLOOR_M), turn_rad=(0.0, 0.0, turn))
        for turn in (0.0, 0.25 * np.pi)
    ]
    for k in range(SIDES):
        angle = 2.0 * np.pi * k / SIDES
        place = (middle * float(np.cos(angle)), middle * float(np.sin(angle)), 0.5 * HEIGHT_M)
        parts.append(Part(shape=wall, position_m=place, turn_rad=(0.0, lean, angle)))
    return tuple(parts)


BOWL = register(
    Thing(
        name="bowl",
        shape=_mesh(),
        collision=_collision(),
        radius_m=0.065,
        touch_height_m=0.02,
        flat=True,
        outline_m=RADIUS_M,
        holds={"in": 0.03},
        beside_m=0.12,
    )
)
