# SPDX-License-Identifier: Apache-2.0
"""Statistics of episodes, and of many episodes from theirs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Stats = dict[str, NDArray[Any]]
"""min, max, mean, std and count of one feature; pictures are (3, 1, 1) in [0, 1]."""

PICTURES_PER_EPISODE = 10


def episode_stats(values: NDArray[Any], *, video: bool) -> Stats:
    """Statistics over the frames of one episode: (T, N) numbers, or (T, H, W, 3) pictures."""
    over: tuple[int, ...] = (0,)
    if video:
        chosen = np.linspace(0, len(values) - 1, min(len(values), PICTURES_PER_EPISODE)).astype(int)
        values, over = np.moveaxis(values[chosen], -1, 1) / 255.0, (0, 2, 3)  # (t, 3, H, W)
    else:
        values = values.reshape(len(values), -1).astype(np.float64)
    found = {name: getattr(values, name)(axis=over, keepdims=True)[0] for name in ("min", "max", "mean", "std")}
    return found | {"count": np.array([len(values)])}


def merge_stats(parts: Sequence[Stats]) -> Stats:
    """The statistics of all frames, from those of each part (variance by the parallel formula)."""
    assert parts
    counts = np.array([int(part["count"][0]) for part in parts], dtype=np.float64)
    weights = (counts / counts.sum()).reshape(-1, *([1] * parts[0]["mean"].ndim))
    means = np.stack([part["mean"] for part in parts])
    mean = (weights * means).sum(axis=0)
    variance = (weights * (np.stack([part["std"] for part in parts]) ** 2 + (means - mean) ** 2)).sum(axis=0)
    return {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([int(counts.sum())]),
    }


def stats_to_json(stats: Mapping[str, Stats]) -> dict[str, dict[str, Any]]:
    """Nested lists, as meta/stats.json has them."""
    return {key: {name: value.tolist() for name, value in each.items()} for key, each in stats.items()}
