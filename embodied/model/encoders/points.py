# SPDX-License-Identifier: Apache-2.0
"""Depth as points in the world, whichever camera saw it (PointNet, Qi et al. 2017).

A feature for each of a few points, spread over all that is seen; a connector with queries makes few tokens of them.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from embodied.geometry import points_seen
from embodied.model.encoders import ENCODERS, Encoder, check_sizes
from embodied.model.encoders.depth import newest_depth
from embodied.types import Float, Reading

_CANDIDATES = 4096
"""Of the pixels, among which points are chosen."""
_TENTH_MM = 1e4
"""To a metre: places are whole numbers, which nobody rounds on their way to the encoder."""
_PERIODS_M = (4.0, 2.0, 1.0, 0.5, 0.25, 0.125)
"""Of the waves that tell a coordinate: by the shortest, numbers of few bits tell millimetres (NeRF, 2020)."""


class PointsEncoder(Encoder):
    """(B, N, 4) to (B, N, `width`): what each point is, and what all of them are together."""

    sees = True

    def __init__(self, *, points: int = 256, width: int = 128, reach_m: float = 2.0) -> None:
        super().__init__()
        check_sizes(points=points, width=width)
        if points > _CANDIDATES:
            raise ValueError(f"points must be at most {_CANDIDATES}, not {points}")
        if not 0.0 < reach_m <= 100.0:
            raise ValueError(f"reach_m must be above 0 and at most 100, not {reach_m}")
        self.points, self.feature_dim, self._reach_m = points, width, reach_m
        self.each = nn.Sequential(
            *(nn.Linear(1 + 3 * 2 * len(_PERIODS_M), width), nn.SiLU()), *(nn.Linear(width, width), nn.SiLU())
        )
        self.together = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))

    def prepare(self, readings: Sequence[Reading]) -> Tensor:
        """(N, 4) int32: x, y, z of points of the newest depth within `reach_m` of the world's origin, in tenths of a
        millimetre, and 1; zeros where none is."""
        seen_m = points_seen(newest_depth(readings))
        near_m = seen_m[np.linalg.norm(seen_m, axis=1) < self._reach_m]
        if not len(near_m):
            return torch.zeros(self.points, 4, dtype=torch.int32)
        some_m = near_m[np.linspace(0, len(near_m) - 1, min(_CANDIDATES, len(near_m))).astype(int)]
        places = torch.from_numpy((spread(some_m, self.points) * _TENTH_MM).round().astype(np.int32))
        return torch.cat([places, torch.ones(self.points, 1, dtype=torch.int32)], dim=1)

    def forward(self, value: Tensor) -> Tensor:
        weight = self.each[0].weight
        assert isinstance(weight, Tensor)
        angle = (
            (2 * math.pi / _TENTH_MM) * value[..., :3, None].double() / value.new_tensor(_PERIODS_M, dtype=torch.double)
        )
        waves = torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(-2)
        each: Tensor = self.each(torch.cat([value[..., 3:].double(), waves], dim=-1).to(weight.dtype))
        of_all = each.amax(dim=1, keepdim=True).expand_as(each)
        features: Tensor = self.together(torch.cat([each, of_all], dim=-1))
        return features


def spread(points_m: Float, count: int) -> Float:
    """(count, 3) of (M, 3) points, each the furthest from those before it (PointNet++, Qi et al. 2017).

    Some come twice where there are fewer.
    """
    chosen = [0]
    away_m = np.full(len(points_m), np.inf)
    while len(chosen) < count:
        away_m = np.minimum(away_m, np.linalg.norm(points_m - points_m[chosen[-1]], axis=1))
        chosen.append(int(away_m.argmax()))
    return points_m[chosen]


ENCODERS.register("points", PointsEncoder)
