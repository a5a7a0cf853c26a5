# SPDX-License-Identifier: Apache-2.0
"""One episode as a picture: a film strip of each camera, and curves of what the arm was and was told."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied.data import layout
from embodied.data.layout import Feature
from embodied.data.reader import Dataset
from embodied.files import replacing

STRIP = 8
"""Pictures in a film strip."""


def draw_episode(dataset: Dataset, index: int, out: Path) -> None:
    """Draw an episode as a PNG. Needs matplotlib. Raises DatasetError."""
    from matplotlib.figure import Figure

    episode, features = dataset.episode(index), dataset.info.features
    strips = [key for key, feature in features.items() if _is_picture(feature)]
    curves = [
        curve
        for key in features
        if key in (layout.STATE, layout.ACTION) or _is_vector(key, features[key])
        for curve in _curves(key, features[key], episode.frames[key].reshape(len(episode), -1))
    ]
    heights = [1.4] * len(strips) + [1.9] * len(curves)
    figure = Figure(figsize=(11, sum(heights) + 1.0), layout="constrained")
    axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    figure.suptitle(textwrap.shorten(f"episode {index}: {episode.task}", 110))
    chosen = np.linspace(0, len(episode) - 1, min(STRIP, len(episode))).astype(int)
    time_s = episode.frames["timestamp"]
    for axis, key in zip(axes, strips, strict=False):
        axis.imshow(_film(episode.frames[key][chosen]))
        times = ", ".join(f"{time:.1f}" for time in time_s[chosen])
        axis.set_title(f"{key}{_range(episode.frames[key][chosen])}, at {times} s", fontsize=8, loc="left")
        axis.set_axis_off()
    for axis, (title, columns) in zip(axes[len(strips) :], curves, strict=True):
        for name, column in columns.items():
            axis.plot(time_s, column, label=name, linewidth=1)
        axis.set_title(title, fontsize=8, loc="left")
        axis.set_xlabel("time (s)", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=6, loc="center left", bbox_to_anchor=(1.0, 0.5))
    with replacing(out) as part:
        figure.savefig(part, format="png", dpi=110)


def _curves(key: str, feature: Feature, values: NDArray[Any]) -> list[tuple[str, dict[str, NDArray[Any]]]]:
    """A title and its curves for each unit among the columns of (T, N) values, which names end with.

    Metres beside a gripper from -1 to 1 would be a flat line.
    """
    names = feature.names or tuple(map(str, range(values.shape[1])))
    units: dict[str, dict[str, NDArray[Any]]] = {}
    for name, column in zip(names, values.T, strict=False):
        units.setdefault(name.rpartition("_")[2] if "_" in name else "", {})[name] = column
    return [(f"{key} ({unit})" if unit else key, columns) for unit, columns in units.items()]


def _is_picture(feature: Feature) -> bool:
    return feature.dtype in layout.PICTURES or len(feature.shape) == 2


def _is_vector(key: str, feature: Feature) -> bool:
    return key.startswith(layout.OBSERVATION) and feature.is_number and len(feature.shape) == 1


def _range(pictures: NDArray[Any]) -> str:
    """What dark and light stand for in pictures of numbers (t, H, W)."""
    if pictures.ndim != 3:
        return ""
    low, high = _limits(pictures)
    return f", {low:.3g} dark to {high:.3g} light"


def _limits(pictures: NDArray[Any]) -> tuple[float, float]:
    """The range that most finite numbers lie in: single far ones would take all of the shades."""
    finite = pictures[np.isfinite(pictures)]
    if not len(finite):
        return 0.0, 1.0
    low, high = np.percentile(finite, (1, 99))
    return float(low), float(high)


def _film(pictures: NDArray[Any]) -> NDArray[Any]:
    """(t, H, W, 3) pictures beside each other; of numbers (t, H, W) those that are finite, from dark to light."""
    if pictures.ndim == 3:
        low, high = _limits(pictures)
        level = np.clip(np.nan_to_num((pictures - low) / max(high - low, 1e-9), nan=1.0, posinf=1.0), 0.0, 1.0)
        pictures = np.repeat((255 * level).astype(np.uint8)[..., None], 3, axis=-1)
    gap = np.pad(pictures, ((0, 0), (0, 0), (0, max(1, pictures.shape[2] // 40)), (0, 0)), constant_values=255)
    return np.concatenate(list(gap), axis=1)
