# SPDX-License-Identifier: Apache-2.0
"""A cup: upright and hollow; the hand closes over it, and what is narrow goes in."""

from embodied.forms import turned, walls
from embodied.things import Grasp, Thing, register

RADIUS_M = 0.0275  # open fingers that let something go are 6.5 cm apart
HEIGHT_M = 0.06
FLOOR_M = 0.006
WALL_M = 0.003
_LOW_M = -0.5 * HEIGHT_M  # its frame is in its middle

CUP = register(
    Thing(
        name="cup",
        shape=turned(
            (RADIUS_M, _LOW_M),
            (RADIUS_M, -_LOW_M),
            (RADIUS_M - WALL_M, -_LOW_M),
            (RADIUS_M - WALL_M, _LOW_M + FLOOR_M),
        ),
        collision=walls(
            foot_m=RADIUS_M, rim_m=RADIUS_M, height_m=HEIGHT_M, floor_m=FLOOR_M, wall_m=WALL_M, low_m=_LOW_M
        ),
        mass_kg=0.06,
        origin_m=0.5 * HEIGHT_M,
        radius_m=0.03,
        touch_height_m=0.025,
        flat=True,
        outline_m=RADIUS_M,
        grasp=Grasp(height_m=0.03),
        holds={"in": 0.055},
        room_m=2.0 * (RADIUS_M - WALL_M),
        beside_m=0.10,
    )
)
