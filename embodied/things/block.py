# SPDX-License-Identifier: Apache-2.0
"""A block: a cube that the hand takes, stacks and pushes."""

from embodied.things import Box, Grasp, Part, Thing, register

SIDE_M = 0.04
_CUBE = Box(size_m=(SIDE_M, SIDE_M, SIDE_M))

BLOCK = register(
    Thing(
        name="block",
        shape=_CUBE,
        collision=(Part(shape=_CUBE),),
        mass_kg=0.06,
        origin_m=0.5 * SIDE_M,
        radius_m=0.03,
        touch_height_m=0.045,
        grasp=Grasp(height_m=0.5 * SIDE_M),
        holds={"on": SIDE_M},
        beside_m=0.09,
    )
)
