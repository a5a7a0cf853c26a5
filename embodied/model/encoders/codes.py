# SPDX-License-Identifier: Apache-2.0
"""Pictures as codes of one vocabulary (VQ-VAE, van den Oord et al. 2017): what senses are to Unified-IO, 4M, Chameleon.

Each cell of the picture is the nearest of a few hundred vectors, and the connector's map makes a word of it. Recipe
`codes` makes the vocabulary; with the model it does not learn.
"""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from embodied.model.encoders import ENCODERS, check_sizes
from embodied.model.encoders.conv import Residual
from embodied.model.encoders.pictures import Patched, planes_of

_PATCHES_PX = (4, 8, 16, 32)


class CodesEncoder(Patched):
    """(B, S, S, 3) uint8 pictures to a grid of vectors, one of `codes` for each patch."""

    recipe: ClassVar[str] = "codes"
    vectors: Tensor
    """(K, D) what the codes stand for."""

    def __init__(
        self, *, size_px: int = 160, patch_px: int = 8, width: int = 16, codes: int = 512, dim: int = 32
    ) -> None:
        if patch_px not in _PATCHES_PX:
            raise ValueError(f"patch_px must be one of {', '.join(map(str, _PATCHES_PX))}, not {patch_px}")
        super().__init__(size_px=size_px, patch_px=patch_px)
        check_sizes(width=width, codes=codes, dim=dim)
        self.feature_dim = dim
        self.linear = nn.Conv2d(3, dim, patch_px, stride=patch_px)
        wide = widths(width, patch_px)
        halved = [
            layer
            for here, there in pairwise(wide)
            for layer in (nn.Conv2d(here, there, 3, stride=2, padding=1), Residual(there))
        ]
        self.network = nn.Sequential(
            *(nn.Conv2d(3, wide[0], 4, stride=4), nn.SiLU(), *halved, Residual(wide[-1])),
            *(nn.GroupNorm(8, wide[-1]), from_nothing(nn.Conv2d(wide[-1], dim, 1))),
        )
        self.register_buffer("vectors", torch.randn(codes, dim))
        self.requires_grad_(False)

    def seen(self, pictures: Tensor) -> Tensor:
        """(B, T, D) what stands in each patch of (B, S, S, 3) pictures, before a code is chosen for it."""
        planes = planes_of(pictures, self.size_px, self.linear.weight.dtype)
        features: Tensor = self.linear(planes) + self.network(planes)
        return features.flatten(2).transpose(1, 2)

    def nearest(self, seen: Tensor) -> Tensor:
        """(...) int, the codes whose vectors are nearest to (..., D)."""
        with torch.autocast(seen.device.type, enabled=False):  # products in few bits would take one code for another
            vectors = self.vectors.float()
            distances = vectors.square().sum(dim=-1) - 2.0 * (seen.float() @ vectors.T)
        return distances.argmin(dim=-1)

    def codes(self, pictures: Tensor) -> Tensor:
        """(B, T) int, the codes of (B, S, S, 3) pictures."""
        return self.nearest(self.seen(pictures))

    def forward(self, value: Tensor) -> Tensor:
        return self.vectors[self.codes(value)]


def widths(width: int, patch_px: int) -> list[int]:
    """Channels at a fourth of the picture's side, an eighth and so on, down to a patch."""
    return [2 * width * number for number in range(1, (patch_px // 4).bit_length() + 1)]


def from_nothing(layer: nn.Conv2d) -> nn.Conv2d:
    """A layer that says nothing at first: what stands beside it learns before it does."""
    for each in layer.parameters():
        nn.init.zeros_(each)
    return layer


ENCODERS.register("codes", CodesEncoder)
