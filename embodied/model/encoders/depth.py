# SPDX-License-Identifier: Apache-2.0
"""Depth through the same kind of network as pictures."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from embodied.errors import ObservationError
from embodied.model.encoders import ENCODERS, expect
from embodied.model.encoders.conv import GridEncoder
from embodied.types import Depth, Reading

_RELIEF = 100.0
"""How much steps in nearness are made of: a centimetre at 1 m is then 1."""


def newest_depth(readings: Sequence[Reading]) -> Depth:
    """The last of some readings. Raises ObservationError for what is no depth."""
    depth = readings[-1]
    expect(depth, Depth)
    assert isinstance(depth, Depth)
    if depth.depth_m.ndim != 2 or not depth.depth_m.size or depth.depth_m.dtype != np.float32:
        shape, kind = depth.depth_m.shape, depth.depth_m.dtype
        raise ObservationError(f"a depth is (height, width) of float32 in metres, and not {shape} of {kind}")
    return depth


class DepthEncoder(GridEncoder):
    """(B, S, S) depth in metres to a grid of S / 16 squared features.

    Three planes: nearness, which is exact where a hand works; relief, how far a pixel stands out from what is around
    it (a block is a small step beside the slope of the table that it stands on); and whether anything came back.
    """

    def __init__(self, *, size_px: int = 160, width: int = 16) -> None:
        super().__init__(channels=3, size_px=size_px, width=width)

    def prepare(self, readings: Sequence[Reading]) -> Tensor:
        """(S, S) float32, the newest depth; nearest pixels, since a mean of two depths is at neither place."""
        depth = newest_depth(readings)
        plane = torch.from_numpy(depth.depth_m.copy())[None, None]
        return nn.functional.interpolate(plane, (self.size_px, self.size_px), mode="nearest-exact")[0, 0]

    def forward(self, value: Tensor) -> Tensor:
        back = torch.isfinite(value) & (value > 0.0)
        nearness = torch.where(back, 1.0 / value.clamp_min(0.2), 0.0)  # 1 / m, at most 5
        around = self.size_px // 16 * 2 + 1
        mean = nn.functional.avg_pool2d(nearness, around, stride=1, padding=around // 2, count_include_pad=False)
        relief = (_RELIEF * (nearness - mean)).clamp(-3.0, 3.0)
        return self.encode(torch.stack([nearness - 1.0, relief, back.to(nearness.dtype)], dim=1))


ENCODERS.register("depth", DepthEncoder)
