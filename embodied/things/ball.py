# SPDX-License-Identifier: Apache-2.0
"""A ball: it rests where it is put down, goes into what holds things, and stays on top of nothing."""

from embodied.things import Grasp, Part, Sphere, Thing, register

RADIUS_M = 0.02
_BALL = Sphere(radius_m=RADIUS_M)

BALL = register(
    Thing(
        name="ball",
        shape=_BALL,
        collision=(Part(shape=_BALL),),
        mass_kg=0.04,
        origin_m=RADIUS_M,
        radius_m=0.0242,
        touch_height_m=0.045,
        grasp=Grasp(height_m=0.017),  # lower than its middle, so that the fingers meet that of a small one
        rolls=True,
        beside_m=0.09,
    )
)
