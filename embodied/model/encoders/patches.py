# SPDX-License-Identifier: Apache-2.0
"""Pictures as they are: the pixels of a patch are its feature, and the connector's map is all that there is before the
language model (Fuyu-8B, Bavishi et al. 2023)."""

import torch
from torch import Tensor, nn

from embodied.model.encoders import ENCODERS
from embodied.model.encoders.pictures import Patched, planes_of


class PatchEncoder(Patched):
    """(B, S, S, 3) uint8 pictures to a grid of patches, 3 `patch_px` squared numbers each. It has no weights."""

    nothing: Tensor

    def __init__(self, *, size_px: int = 160, patch_px: int = 16) -> None:
        super().__init__(size_px=size_px, patch_px=patch_px)
        self.feature_dim = 3 * patch_px * patch_px
        self.register_buffer("nothing", torch.zeros(()), persistent=False)  # says which type the model computes in

    def forward(self, value: Tensor) -> Tensor:
        planes = planes_of(value, self.size_px, self.nothing.dtype)
        return nn.functional.pixel_unshuffle(planes, self.patch_px).flatten(2).transpose(1, 2)


ENCODERS.register("patches", PatchEncoder)
