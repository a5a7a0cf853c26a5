# SPDX-License-Identifier: Apache-2.0
"""A vase: a round body with a narrow neck."""

from embodied.forms import turned
from embodied.things import Cylinder, Grasp, Part, Thing, register

RADIUS_M, BODY_M = 0.021, 0.044
NECK_M, HEIGHT_M = 0.014, 0.058
SHOULDER_M = 0.005  # height of the slope between the two
_LOW_M = -0.5 * HEIGHT_M  # its frame is in its middle
_NECK_LOW_M = _LOW_M + BODY_M

VASE = register(
    Thing(
        name="vase",
        shape=turned(
            (RADIUS_M, _LOW_M), (RADIUS_M, _NECK_LOW_M), (NECK_M, _NECK_LOW_M + SHOULDER_M), (NECK_M, -_LOW_M)
        ),
        collision=(
            Part(shape=Cylinder(radius_m=RADIUS_M, height_m=BODY_M), position_m=(0.0, 0.0, _LOW_M + 0.5 * BODY_M)),
            Part(
                shape=Cylinder(radius_m=NECK_M, height_m=HEIGHT_M - BODY_M),
                position_m=(0.0, 0.0, 0.5 * (_NECK_LOW_M - _LOW_M)),
            ),
        ),
        mass_kg=0.06,
        origin_m=0.5 * HEIGHT_M,
        radius_m=0.0242,
        touch_height_m=0.067,
        grasp=Grasp(height_m=0.025),
        beside_m=0.10,
    )
)
