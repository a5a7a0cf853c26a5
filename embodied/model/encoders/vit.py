# SPDX-License-Identifier: Apache-2.0
"""Pictures through a vision transformer (Dosovitskiy et al. 2021), trained here from nothing."""

from typing import Any

import torch
from torch import Tensor, nn

from embodied.model.encoders import ENCODERS, check_sizes
from embodied.model.encoders.pictures import Patched, planes_of


class VitEncoder(Patched):
    """(B, S, S, 3) uint8 pictures to a grid of patches, each of which has looked at all others in `depth` layers."""

    def __init__(
        self, *, size_px: int = 160, patch_px: int = 16, width: int = 192, depth: int = 6, heads: int = 3
    ) -> None:
        super().__init__(size_px=size_px, patch_px=patch_px)
        check_sizes(width=width, depth=depth, heads=heads)
        if width % heads:
            raise ValueError(f"width must be a multiple of heads={heads}, not {width}")
        self.feature_dim = width
        self.patches = nn.Conv2d(3, width, patch_px, stride=patch_px)
        self.place = nn.Parameter(0.02 * torch.randn((size_px // patch_px) ** 2, width))
        options: dict[str, Any] = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
        layers = (nn.TransformerEncoderLayer(width, heads, 4 * width, **options) for _ in range(depth))
        self.layers = nn.Sequential(*layers, nn.LayerNorm(width))

    def forward(self, value: Tensor) -> Tensor:
        planes = planes_of(value, self.size_px, self.patches.weight.dtype)
        features: Tensor = self.layers(self.patches(planes).flatten(2).transpose(1, 2) + self.place)
        return features


ENCODERS.register("vit", VitEncoder)
