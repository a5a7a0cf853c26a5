# SPDX-License-Identifier: Apache-2.0
"""An arch: two legs and what lies across them, in one piece; the hand closes on its legs."""

import math

from embodied.forms import box, built
from embodied.things import Grasp, Thing, register

DEPTH_M, LENGTH_M, HEIGHT_M = 0.04, 0.056, 0.05
LEG_M, OPEN_M = 0.018, 0.03  # width of a leg, height of the gap, which is too narrow for what it is stacked on
_X_M, _Y_M, _Z_M = 0.5 * DEPTH_M, 0.5 * LENGTH_M, 0.5 * HEIGHT_M  # its frame is in its middle
_LEG_TOP_M = OPEN_M - _Z_M + 0.005  # within what lies across

_PARTS = (
    box((-_X_M, -_Y_M, -_Z_M), (_X_M, -_Y_M + LEG_M, _LEG_TOP_M)),
    box((-_X_M, _Y_M - LEG_M, -_Z_M), (_X_M, _Y_M, _LEG_TOP_M)),
    box((-_X_M, -_Y_M, OPEN_M - _Z_M), (_X_M, _Y_M, _Z_M)),
)

ARCH = register(
    Thing(
        name="arch",
        shape=built(_PARTS),
        collision=_PARTS,
        mass_kg=0.06,
        origin_m=_Z_M,
        radius_m=0.036,
        touch_height_m=0.055,
        grasp=Grasp(height_m=0.02, turn_rad=math.radians(20.0)),
        holds={"on": HEIGHT_M},
        beside_m=0.10,
    )
)
