# SPDX-License-Identifier: Apache-2.0
"""How an observation becomes what a model reads. Training and acting share these functions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embodied.types import Float, Joints

_WIDTH = "gripper_width_dm"
POINTED_HEIGHT_M = 0.02
"""Things are pointed at at the height of a block's centre."""


def prepare_picture(rgb: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Resize (H, W, 3) to (size_px, size_px, 3), antialiased."""
    if rgb.shape[:2] == (size_px, size_px):
        return rgb
    return np.asarray(Image.fromarray(rgb).resize((size_px, size_px), Image.Resampling.BILINEAR))


def prepare_state(joints: Joints) -> NDArray[np.float32]:
    """(N + 1,) proprioception as a model reads it and a dataset keeps it: see `state_names`."""
    return np.array([*joints.position_rad, 10.0 * joints.gripper_width_m], dtype=np.float32)


def state_names(joint_names: Sequence[str]) -> tuple[str, ...]:
    """What the numbers of `prepare_state` are: N angles in rad, and the distance between the fingers in dm."""
    return (*(f"{name}_rad" for name in joint_names), _WIDTH)


def is_state(names: Sequence[str]) -> bool:
    """Whether numbers with these `names` are what `prepare_state` gives."""
    return bool(names) and names[-1] == _WIDTH


def joints_from_state(state: Float, stamp_s: float) -> Joints:
    """The inverse of `prepare_state`, which keeps no velocities: at rest."""
    return Joints(
        position_rad=np.asarray(state[:-1], dtype=np.float64),
        velocity_rad_s=np.zeros(len(state) - 1),
        gripper_width_m=0.1 * float(state[-1]),
        stamp_s=stamp_s,
    )
