# SPDX-License-Identifier: Apache-2.0
"""A plate: flat and round with a low rim; things are put on it, and it stays where it is."""

from embodied.forms import turned, walls
from embodied.things import Thing, register

RADIUS_M = 0.065
FOOT_RADIUS_M = 0.055
HEIGHT_M = 0.014
FLOOR_M = 0.008
WALL_M = 0.005

PLATE = register(
    Thing(
        name="plate",
        shape=turned(
            (FOOT_RADIUS_M, 0.0), (RADIUS_M, HEIGHT_M), (RADIUS_M - WALL_M, HEIGHT_M), (FOOT_RADIUS_M - WALL_M, FLOOR_M)
        ),
        collision=walls(foot_m=FOOT_RADIUS_M, rim_m=RADIUS_M, height_m=HEIGHT_M, floor_m=FLOOR_M, wall_m=WALL_M),
        radius_m=0.07,
        touch_height_m=0.018,
        flat=True,
        outline_m=RADIUS_M,
        holds={"on": 0.01},
        room_m=2.0 * (FOOT_RADIUS_M - WALL_M),
        beside_m=0.13,
    )
)
