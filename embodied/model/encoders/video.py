# SPDX-License-Identifier: Apache-2.0
"""The last pictures of a camera: what moved, in a few tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from embodied.model.encoders import ENCODERS, check_sizes
from embodied.model.encoders.conv import ConvEncoder
from embodied.types import Reading


class VideoEncoder(ConvEncoder):
    """(B, K, S, S, 3) uint8, the last K pictures, to K x `side` squared features.

    Every picture goes through the same network, is pooled to `side` x `side` tokens, and carries a learned code of
    its age. Before there are K pictures, the first stands for those that are missing.
    """

    def __init__(self, *, size_px: int = 96, width: int = 16, frames: int = 4, side: int = 3) -> None:
        super().__init__(size_px=size_px, width=width)
        check_sizes(frames=frames, side=side)
        self.history, self.grid, self._side = frames, None, side
        self._cells = size_px // self.stride_px
        self.age = nn.Parameter(0.02 * torch.randn(frames, 1, self.feature_dim))

    def prepare(self, readings: Sequence[Reading]) -> Tensor:
        """(K, S, S, 3) uint8, oldest first."""
        seen = [super(VideoEncoder, self).prepare([reading]) for reading in readings[-self.history :]]
        return torch.stack([seen[0]] * (self.history - len(seen)) + seen)

    def forward(self, value: Tensor) -> Tensor:
        count, frames = value.shape[:2]
        features = super().forward(value.flatten(0, 1))  # (B K, T, F)
        planes = features.transpose(1, 2).reshape(count * frames, self.feature_dim, self._cells, self._cells)
        pooled = nn.functional.adaptive_avg_pool2d(planes, self._side).flatten(2).transpose(1, 2)
        tokens = pooled.reshape(count, frames, self._side * self._side, self.feature_dim) + self.age
        return tokens.flatten(1, 2)


ENCODERS.register("video", VideoEncoder)
