# SPDX-License-Identifier: Apache-2.0
"""A bar: a long box that lies; the hand takes it across."""

import math

from embodied.things import Box, Grasp, Part, Thing, register

LENGTH_M, SIDE_M = 0.085, 0.04
_BAR = Box(size_m=(LENGTH_M, SIDE_M, SIDE_M))

BAR = register(
    Thing(
        name="bar",
        shape=_BAR,
        collision=(Part(shape=_BAR),),
        mass_kg=0.10,
        origin_m=0.5 * SIDE_M,
        radius_m=0.048,
        touch_height_m=0.045,
        grasp=Grasp(height_m=0.5 * SIDE_M, turn_rad=math.radians(20.0)),
        holds={"on": SIDE_M},
        beside_m=0.12,
    )
)
