# SPDX-License-Identifier: Apache-2.0
"""A bowl: a shallow round dish that stays where it is."""

from embodied.forms import turned, walls
from embodied.things import Thing, register

RADIUS_M = 0.06
FLOOR_RADIUS_M = 0.045
HEIGHT_M = 0.035
FLOOR_M = 0.01
WALL_M = 0.006

BOWL = register(
    Thing(
        name="bowl",
        # Outer foot, outer rim, inner rim, inner floor. It stands on z = 0.
        shape=turned(
            (FLOOR_RADIUS_M, 0.0),
            (RADIUS_M, HEIGHT_M),
            (RADIUS_M - WALL_M, HEIGHT_M),
            (FLOOR_RADIUS_M - WALL_M, FLOOR_M),
        ),
        collision=walls(foot_m=FLOOR_RADIUS_M, rim_m=RADIUS_M, height_m=HEIGHT_M, floor_m=FLOOR_M, wall_m=WALL_M),
        radius_m=0.065,
        touch_height_m=0.02,
        flat=True,
        outline_m=RADIUS_M,
        holds={"in": 0.03},
        room_m=0.09,
        beside_m=0.12,
    )
)
