# SPDX-License-Identifier: Apache-2.0
"""Statistics of episodes and of whole datasets: of one sample a feature, or of many together.

A sample is what statistics are made of, and small: every number of a flat feature; of pictures how often each
level comes; of pictures of numbers (depth) some of them. So the statistics of many episodes, quantiles
included, are exactly those of their samples together, and never put together from other statistics.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied.data.layout import Feature

Stats = dict[str, NDArray[Any]]
"""min, max, mean, std, count and quantiles: (N,) of flat features, (3, 1, 1) in [0, 1] of pictures, (1, 1) of
an (H, W) feature. `count` is (1,): the frames that were looked at."""
QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}

PICTURES_PER_EPISODE = 10
_STRIDE = 8
"""Of pictures of numbers every 8th row and column."""


def sample(feature: Feature, values: NDArray[Any]) -> NDArray[Any]:
    """What the statistics of one episode's `values` (T, ...) are made of.

    (3, 256) counts of levels for pictures, (T, N) numbers for a flat feature, and (t, n) finite numbers or NaN
    of the `t` frames that are looked at for others.
    """
    if feature.is_number and len(feature.shape) == 1:
        return values.reshape(len(values), -1)
    chosen = values[np.linspace(0, len(values) - 1, min(len(values), PICTURES_PER_EPISODE)).astype(int)]
    if feature.is_number:
        some = chosen[:, ::_STRIDE, ::_STRIDE].reshape(len(chosen), -1)
        return np.where(np.isfinite(some), some, np.nan)
    return np.stack([np.bincount(channel.ravel(), minlength=256) for channel in np.moveaxis(chosen, -1, 0)])


def stats_of(feature: Feature, samples: Sequence[NDArray[Any]]) -> Stats:
    """The statistics of all `samples` together."""
    assert samples
    if not feature.is_number:
        levels = np.sum(samples, axis=0)
        pictures = levels[0].sum() // np.prod(feature.shape[:2])
        return {name: each.reshape(-1, 1, 1) / 255.0 for name, each in _of_levels(levels).items()} | _count(pictures)
    rows = np.concatenate(samples)
    if len(feature.shape) == 1:
        return _of_rows(rows.astype(np.float64)) | _count(len(rows))
    seen = rows[np.isfinite(rows)].astype(np.float64)
    # A camera that sees nothing at all has measured no number; zeros keep the file readable.
    found = _of_rows(seen[:, None] if len(seen) else np.zeros((1, 1)))
    return {name: each.reshape([1] * len(feature.shape)) for name, each in found.items()} | _count(len(rows))


def stats_to_json(stats: Mapping[str, Stats]) -> dict[str, dict[str, Any]]:
    """Nested lists, as meta/stats.json has them."""
    return {key: {name: value.tolist() for name, value in each.items()} for key, each in stats.items()}


def _count(frames: int) -> Stats:
    return {"count": np.array([int(frames)])}


def _of_rows(rows: NDArray[np.float64]) -> Stats:
    """Of (M, N) numbers, each (N,)."""
    basic = {name: getattr(rows, name)(axis=0) for name in ("min", "max", "mean", "std")}
    return basic | dict(zip(QUANTILES, np.quantile(rows, list(QUANTILES.values()), axis=0), strict=True))


def _of_levels(levels: NDArray[np.int64]) -> Stats:
    """Of pixels that are told by how many of each level there are, (C, 256), each (C,)."""
    value = np.arange(256)
    total = levels.sum(axis=1)
    mean = levels @ value / total
    variance = levels @ value**2 / total - mean**2
    seen = [value[row > 0] for row in levels]
    found = {"min": np.array([row[0] for row in seen]), "max": np.array([row[-1] for row in seen])}
    found |= {"mean": mean, "std": np.sqrt(np.maximum(variance, 0.0))}
    return found | {name: np.array([_quantile(row, at) for row in levels]) for name, at in QUANTILES.items()}


def _quantile(levels: NDArray[np.int64], at: float) -> float:
    """What numpy.quantile gives for the pixels one by one."""
    up_to = levels.cumsum()
    place = at * (up_to[-1] - 1)
    low, high = (np.searchsorted(up_to, index, side="right") for index in (np.floor(place), np.ceil(place)))
    return float(low + (place % 1.0) * (high - low))
