# SPDX-License-Identifier: Apache-2.0
"""A zone: a coloured square on the table."""

from embodied.things import Box, Thing, register

SIDE_M = 0.11
HEIGHT_M = 0.002

ZONE = register(
    Thing(
        name="zone",
        shape=Box(size_m=(SIDE_M, SIDE_M, HEIGHT_M)),
        origin_m=0.5 * HEIGHT_M,
        radius_m=0.06,
        touch_height_m=0.01,
        flat=True,
        square=True,
        outline_m=0.5 * SIDE_M,
        beside_m=0.10,
        goal=True,
    )
)
