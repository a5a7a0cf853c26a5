# SPDX-License-Identifier: Apache-2.0
"""Shadows on the table. The light looks down: the table is in the shade where it sees something else.

Seen along parallel rays of light, and sheared, a place in the light's picture is a place on the table.
"""

import numpy as np
from PIL import Image, ImageFilter

from embodied.types import Float
from sim.scene import TABLE_X_M, TABLE_Y_M, Light

CELL_M = 0.003
SHAPE = (round((TABLE_X_M[1] - TABLE_X_M[0]) / CELL_M), round((TABLE_Y_M[1] - TABLE_Y_M[0]) / CELL_M))
"""Cells along x and along y of what the light sees."""
CEILING_M = 2.0
"""The light looks from this height; no arm is higher."""
FLAT_M = 0.005
"""What is no higher casts no shadow, and lies in the shade as the table does."""
_SOFT_CELLS = 1.5


def light_view(light: Light) -> Float:
    """View (4, 4) of the light: x to the right is the table's y, y to the top is the table's -x."""
    along_x, along_y = (way / light.direction[2] for way in light.direction[:2])
    return np.array(
        [
            [0.0, 1.0, -along_y, 0.0],
            [-1.0, 0.0, along_x, 0.0],
            [0.0, 0.0, 1.0, -CEILING_M],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def light_projection(near_m: float, far_m: float) -> Float:
    """Projection (4, 4) that shows the whole table, without perspective."""
    (x0, x1), (y0, y1) = TABLE_X_M, TABLE_Y_M
    depth_m = far_m - near_m
    return np.array(
        [
            [2.0 / (y1 - y0), 0.0, 0.0, -(y1 + y0) / (y1 - y0)],
            [0.0, 2.0 / (x1 - x0), 0.0, (x1 + x0) / (x1 - x0)],
            # The renderer reads near and far out of this row, and takes it for one with perspective.
            [0.0, 0.0, -(far_m + near_m) / depth_m, -2.0 * far_m * near_m / depth_m],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def lit_share(light: Light, depth_m: Float) -> Float:
    """How bright each cell of the table is, as a share of what it is without shadows; the light saw `depth_m`."""
    covered = Image.fromarray(np.uint8(255 * (depth_m < CEILING_M - FLAT_M)))
    shade = np.asarray(covered.filter(ImageFilter.GaussianBlur(_SOFT_CELLS)), dtype=np.float64) / 255.0
    return 1.0 - shade * (1.0 - light.ambient / light.on_table)


def share_at(lit: Float, x_m: Float, y_m: Float) -> Float:
    """That of places on the table's plane; what is beside the table is taken to its edge."""
    row, column = (
        ((way - begin) / CELL_M).astype(np.intp).clip(0, count - 1)
        for way, begin, count in zip((x_m, y_m), (TABLE_X_M[0], TABLE_Y_M[0]), SHAPE, strict=True)
    )
    return lit[row, column]
