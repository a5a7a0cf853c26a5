# SPDX-License-Identifier: Apache-2.0
"""Depth through the same kind of network as pictures."""

from collections.abc import Sequence

import torch
from torch import Tensor

from embodied.model.encoders import ENCODERS, expect
from embodied.model.encoders.conv import GridEncoder
from embodied.types import Depth, Reading


class DepthEncoder(GridEncoder):
    """(B, S, S) depth in metres to a grid of S / 16 squared features.

    Two planes: nearness, which is exact where a hand works, and whether anything came back at all.
    """

    def __init__(self, *, size_px: int = 160, width: int = 16) -> None:
        super().__init__(channels=2, size_px=size_px, width=width)

    def prepare(self, readings: Sequence[Reading]) -> Tensor:
        """(S, S) float32, the newest depth; nearest pixels, since a mean of two depths is at neither place."""
        depth = readings[-1]
        expect(depth, Depth)
        assert isinstance(depth, Depth)
        plane = torch.from_numpy(depth.depth_m)[None, None]
        return torch.nn.functional.interpolate(plane, (self.size_px, self.size_px), mode="nearest-exact")[0, 0]

    def forward(self, value: Tensor) -> Tensor:
        back = torch.isfinite(value) & (value > 0.0)
        nearness = torch.where(back, 1.0 / value.clamp_min(0.2), 0.0)  # 1 / m, at most 5
        return self.encode(torch.stack([nearness - 1.0, back.to(nearness.dtype)], dim=1))


ENCODERS.register("depth", DepthEncoder)
