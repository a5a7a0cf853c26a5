# SPDX-License-Identifier: Apache-2.0
"""How an observation becomes what a model reads. Training and acting share these functions."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embodied.types import Float

POINTED_HEIGHT_M = 0.02
"""Things are pointed at at the height of a block's centre."""


def prepare_picture(rgb: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Resize (H, W, 3) to (size_px, size_px, 3), antialiased."""
    if rgb.shape[:2] == (size_px, size_px):
        return rgb
    return np.asarray(Image.fromarray(rgb).resize((size_px, size_px), Image.Resampling.BILINEAR))


def prepare_state(joint_position_rad: Float, gripper_width_m: float) -> NDArray[np.float32]:
    """(N + 1,) proprioception as a model reads it: N angles in rad and ten times the finger distance in m."""
    return np.array([*joint_position_rad, 10.0 * gripper_width_m], dtype=np.float32)
