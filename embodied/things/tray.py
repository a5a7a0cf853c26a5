# SPDX-License-Identifier: Apache-2.0
"""A tray: square, with low walls, wider than a bowl; it stays where it is."""

from embodied.forms import box, built
from embodied.things import Thing, register

HALF_M = 0.07
HEIGHT_M = 0.028
FLOOR_M = 0.005
WALL_M = 0.006
_IN_M = HALF_M - WALL_M
_TO_M = HALF_M - 0.5 * WALL_M  # floor and two of the walls end within the two others

_PARTS = (
    box((-_TO_M, -_TO_M, 0.0), (_TO_M, _TO_M, FLOOR_M)),
    box((-HALF_M, -HALF_M, 0.0), (-_IN_M, HALF_M, HEIGHT_M)),
    box((_IN_M, -HALF_M, 0.0), (HALF_M, HALF_M, HEIGHT_M)),
    box((-_TO_M, -HALF_M, 0.0), (_TO_M, -_IN_M, HEIGHT_M)),
    box((-_TO_M, _IN_M, 0.0), (_TO_M, HALF_M, HEIGHT_M)),
)

TRAY = register(
    Thing(
        name="tray",
        shape=built(_PARTS),
        collision=_PARTS,
        radius_m=0.08,
        touch_height_m=0.018,
        flat=True,
        square=True,
        outline_m=HALF_M,
        holds={"in": 0.012},
        room_m=2.0 * _IN_M,
        beside_m=0.14,
    )
)
