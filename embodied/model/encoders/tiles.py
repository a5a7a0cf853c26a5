# SPDX-License-Identifier: Apache-2.0
"""A picture as a whole, and in tiles at a finer resolution: what is small is still seen (AnyRes; LLaVA-NeXT, Liu et al.
2024)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from embodied.model.encoders import ENCODERS, check_sizes
from embodied.model.encoders.conv import ConvEncoder
from embodied.model.encoders.pictures import MAX_SIDE_PX, newest_picture
from embodied.types import Reading


class TilesEncoder(ConvEncoder):
    """(B, 1 + side^2, S, S, 3) uint8 to the cells of the whole picture, and then to those of each tile, row by row.

    One network reads all of them; a learned code tells which of them a token is of.
    """

    def __init__(self, *, size_px: int = 96, width: int = 32, side: int = 2) -> None:
        super().__init__(size_px=size_px, width=width)
        check_sizes(side=side)
        if side * size_px > MAX_SIDE_PX:
            raise ValueError(f"side={side} tiles of size_px={size_px} are more than {MAX_SIDE_PX} px to a side")
        self.grid, self._side = None, side
        self.which = nn.Parameter(0.02 * torch.randn(1 + side * side, 1, self.feature_dim))

    def prepare(self, readings: Sequence[Reading]) -> Tensor:
        """(1 + side^2, S, S, 3) uint8 of the newest picture."""
        side, size_px = self._side, self.size_px
        whole, fine = newest_picture(readings, size_px), newest_picture(readings, side * size_px)
        tiles = fine.reshape(side, size_px, side, size_px, 3).transpose(1, 2).flatten(0, 1)
        return torch.cat([whole[None], tiles])

    def forward(self, value: Tensor) -> Tensor:
        features = super().forward(value.flatten(0, 1))
        return (features.reshape(*value.shape[:2], *features.shape[1:]) + self.which).flatten(1, 2)


ENCODERS.register("tiles", TilesEncoder)
