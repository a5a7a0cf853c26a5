# SPDX-License-Identifier: Apache-2.0
"""A cross: two bars through each other; it lies, and the hand takes one of them by its ends."""

import math

from embodied.forms import box, built
from embodied.things import Grasp, Thing, register

HALF_LENGTH_M, HALF_WIDTH_M, HEIGHT_M = 0.028, 0.01, 0.035
_Z_M = 0.5 * HEIGHT_M  # its frame is in its middle

_PARTS = (
    box((-HALF_LENGTH_M, -HALF_WIDTH_M, -_Z_M), (HALF_LENGTH_M, HALF_WIDTH_M, _Z_M)),
    box((-HALF_WIDTH_M, -HALF_LENGTH_M, -_Z_M), (HALF_WIDTH_M, HALF_LENGTH_M, _Z_M)),
)

CROSS = register(
    Thing(
        name="cross",
        shape=built(_PARTS),
        collision=_PARTS,
        mass_kg=0.06,
        origin_m=_Z_M,
        radius_m=0.031,
        touch_height_m=0.04,
        grasp=Grasp(height_m=_Z_M, turn_rad=math.radians(20.0)),
        holds={"on": HEIGHT_M},
        beside_m=0.10,
    )
)
