# SPDX-License-Identifier: Apache-2.0
"""A cylinder: an upright can that the hand takes, stacks and pushes."""

from embodied.things import Cylinder, Grasp, Part, Thing, register

HEIGHT_M = 0.05
_CAN = Cylinder(radius_m=0.02, height_m=HEIGHT_M)

CYLINDER = register(
    Thing(
        name="cylinder",
        shape=_CAN,
        collision=(Part(shape=_CAN),),
        mass_kg=0.06,
        origin_m=0.5 * HEIGHT_M,
        radius_m=0.026,
        touch_height_m=0.055,
        grasp=Grasp(height_m=0.5 * HEIGHT_M),
        holds={"on": HEIGHT_M},
        beside_m=0.09,
    )
)
