# SPDX-License-Identifier: Apache-2.0
"""What all encoders share that read pictures."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from embodied.errors import ObservationError
from embodied.inputs import prepare_picture
from embodied.model.encoders import Encoder, check_sizes, expect
from embodied.types import Picture, Reading

MAX_SIDE_PX = 1024
"""Of a picture that an encoder reads: more would take all memory before anyone could say so."""


_MOST_PATCHES = 64
"""To a side: each is a token."""


def check_side(size_px: int, patch_px: int) -> None:
    """Raises ValueError for a side that is not made of whole patches, or of too many, or is too large."""
    check_sizes(size_px=size_px, patch_px=patch_px)
    if size_px > MAX_SIDE_PX or size_px % patch_px:
        raise ValueError(f"size_px must be a multiple of {patch_px} up to {MAX_SIDE_PX}, not {size_px}")
    if size_px // patch_px > _MOST_PATCHES:
        raise ValueError(
            f"patch_px must be at least {-(-size_px // _MOST_PATCHES)} for size_px={size_px}, not {patch_px}"
        )


def newest_picture(readings: Sequence[Reading], size_px: int) -> Tensor:
    """(S, S, 3) uint8. Raises ObservationError for what is no picture."""
    picture = readings[-1]
    expect(picture, Picture)
    assert isinstance(picture, Picture)
    if picture.rgb.dtype != np.uint8 or picture.rgb.ndim != 3 or picture.rgb.shape[2] != 3 or not picture.rgb.size:
        shape, kind = picture.rgb.shape, picture.rgb.dtype
        raise ObservationError(f"a picture is (height, width, 3) of uint8, and not {shape} of {kind}")
    return torch.from_numpy(prepare_picture(picture.rgb, size_px).copy())


def planes_of(pictures: Tensor, size_px: int, dtype: torch.dtype) -> Tensor:
    """(B, S, S, 3) uint8 to (B, 3, S, S) in [-1, 1]. Raises ValueError for pictures of another size."""
    if pictures.shape[1:] != (size_px, size_px, 3):
        raise ValueError(f"pictures must be (B, {size_px}, {size_px}, 3), got {tuple(pictures.shape)}")
    return pictures.permute(0, 3, 1, 2).to(dtype) / 127.5 - 1.0


class Patched(Encoder):
    """(B, S, S, 3) uint8 pictures to a grid of patches, `patch_px` to a side; subclasses say what a patch is."""

    sees = True

    def __init__(self, *, size_px: int, patch_px: int) -> None:
        super().__init__()
        check_side(size_px, patch_px)
        self.size_px, self.patch_px = size_px, patch_px
        self.grid = (size_px // patch_px, size_px // patch_px)

    def prepare(self, readings: Sequence[Reading]) -> Tensor:
        """(S, S, 3) uint8, the newest picture."""
        return newest_picture(readings, self.size_px)
