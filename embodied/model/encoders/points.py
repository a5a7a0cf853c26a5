# SPDX-License-Identifier: Apache-2.0
"""Depth as points in the world, whichever camera saw it (PointNet, Qi et al. 2017).

A feature for each of a few points, spread over all that is seen; a connector with queries makes few tokens of them.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from embodied.errors import ObservationError
from embodied.model.encoders import ENCODERS, Encoder, check_sizes, expect
from embodied.types import Depth, Float, Reading

_CANDIDATES = 4096
"""Of the pixels, among which points are chosen."""


class PointsEncoder(Encoder):
    """(B, N, 3) metres in the world frame to (B, N, `width`): what each point is, and what all of them are together."""

    sees = True

    def __init__(self, *, points: int = 256, width: int = 128, reach_m: float = 2.0) -> None:
        super().__init__()
        check_sizes(points=points, width=width)
        if not reach_m > 0.0:
            raise ValueError(f"reach_m must be above 0, not {reach_m}")
        self.points, self.feature_dim, self._reach_m = points, width, reach_m
        self.each = nn.Sequential(nn.Linear(3, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.together = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))

    def prepare(self, readings: Sequence[Reading]) -> Tensor | None:
        """(N, 3) float32: points of the newest depth, within `reach_m` of the world's origin; None where none is."""
        depth = readings[-1]
        expect(depth, Depth)
        assert isinstance(depth, Depth)
        if depth.depth_m.ndim != 2 or depth.depth_m.dtype != np.float32:
            shape, kind = depth.depth_m.shape, depth.depth_m.dtype
            raise ObservationError(f"a depth is (height, width) of float32 in metres, and not {shape} of {kind}")
        seen_m = points_of(depth)
        near_m = seen_m[np.linalg.norm(seen_m, axis=1) < self._reach_m]
        if not len(near_m):
            return None
        some_m = near_m[np.linspace(0, len(near_m) - 1, min(_CANDIDATES, len(near_m))).astype(int)]
        return torch.from_numpy(spread(some_m, self.points).astype(np.float32))

    def forward(self, value: Tensor) -> Tensor:
        each: Tensor = self.each(value.to(self.each[0].weight.dtype))  # type: ignore[arg-type]
        of_all = each.amax(dim=1, keepdim=True).expand_as(each)
        features: Tensor = self.together(torch.cat([each, of_all], dim=-1))
        return features


def points_of(depth: Depth) -> Float:
    """(M, 3) where in the world the pixels are from which something came back."""
    v, u = np.nonzero(np.isfinite(depth.depth_m) & (depth.depth_m > 0.0))
    z_m = depth.depth_m[v, u].astype(np.float64)
    rays = np.stack([u, v, np.ones_like(u)], axis=1) @ np.linalg.inv(depth.intrinsics_px).T
    pose = depth.world_from_camera
    return (rays * z_m[:, None]) @ pose[:3, :3].T + pose[:3, 3]  # type: ignore[no-any-return]


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
