# SPDX-License-Identifier: Apache-2.0
"""Pictures through a small residual network, trained here from nothing."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from embodied.model.encoders import ENCODERS, Encoder, check_sizes
from embodied.model.encoders.pictures import check_side, newest_picture, planes_of
from embodied.types import Reading


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(nn.functional.silu(self.norm1(x)))
        skip: Tensor = x + self.conv2(nn.functional.silu(self.norm2(h)))
        return skip


class GridEncoder(Encoder):
    """(B, C, S, S) planes to a grid of S / 16 squared features; subclasses say what the planes are."""

    stride_px: ClassVar[int] = 16
    sees = True

    def __init__(self, *, channels: int, size_px: int, width: int) -> None:
        super().__init__()
        check_side(size_px, self.stride_px)
        check_sizes(width=width)
        self.size_px, self.feature_dim = size_px, 6 * width
        self.grid = (size_px // self.stride_px, size_px // self.stride_px)
        self.layers = nn.Sequential(
            # A patch stem: plain convolutions at full resolution would cost more than all the rest.
            nn.Conv2d(channels, 2 * width, 4, stride=4),
            nn.SiLU(),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
            Residual(4 * width),
            nn.Conv2d(4 * width, 6 * width, 3, stride=2, padding=1),
            Residual(6 * width),
            Residual(6 * width),
            nn.GroupNorm(8, 6 * width),
        )

    def encode(self, planes: Tensor) -> Tensor:
        """(B, C, S, S) in about [-1, 1] to (B, T, F)."""
        weight = self.layers[0].weight
        assert isinstance(weight, Tensor)
        planes = planes.to(weight.dtype).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.layers(planes)
        return features.flatten(2).transpose(1, 2)


class ConvEncoder(GridEncoder):
    """(B, S, S, 3) uint8 pictures to a grid of S / 16 squared features."""

    def __init__(self, *, size_px: int = 160, width: int = 32) -> None:
        super().__init__(channels=3, size_px=size_px, width=width)

    def prepare(self, readings: Sequence[Reading]) -> Tensor:
        """(S, S, 3) uint8, the newest picture."""
        return newest_picture(readings, self.size_px)

    def forward(self, value: Tensor) -> Tensor:
        weight = self.layers[0].weight
        assert isinstance(weight, Tensor)
        return self.encode(planes_of(value, self.size_px, weight.dtype))


ENCODERS.register("conv", ConvEncoder)
