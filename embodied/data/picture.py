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
    curves = [key for key in features if key in (layout.STATE, layout.ACTION) or _is_vector(key, features[key])]
    heights = [1.4] * len(strips) + [2.6] * len(curves)
    figure = Figure(figsize=(11, sum(heights) + 1.0), layout="constrained")
    axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    figure.suptitle(textwrap.shorten(f"episode {index}: {episode.task}", 110))
    chosen = np.linspace(0, len(episode) - 1, min(STRIP, len(episode))).astype(int)
    time_s = episode.frames["timestamp"]
    for axis, key in zip(axes, strips, strict=False):
        axis.imshow(_film(episode.frames[key][chosen]))
        axis.set_title(f"{key}, at {', '.join(f'{time:.1f}' for time in time_s[chosen])} s", fontsize=8, loc="left")
        axis.set_axis_off()
    for axis, key in zip(axes[len(strips) :], curves, strict=True):
        values = episode.frames[key].reshape(len(episode), -1)
        names = features[key].names or tuple(map(str, range(values.shape[1])))
        for name, column in zip(names, values.T, strict=False):
            axis.plot(time_s, column, label=name, linewidth=1)
        axis.set_title(key, fontsize=8, loc="left")
        axis.set_xlabel("time (s)", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=6, loc="center left", bbox_to_anchor=(1.0, 0.5))
    with replacing(out) as part:
        figure.savefig(part, format="png", dpi=110)


def _is_picture(feature: Feature) -> bool:
    return feature.dtype in layout.PICTURES or len(feature.shape) == 2


def _is_vector(key: str, feature: Feature) -> bool:
    return key.startswith(layout.OBSERVATION) and feature.is_number and len(feature.shape) == 1


def _film(pictures: NDArray[Any]) -> NDArray[Any]:
    """(t, H, W, 3) pictures beside each other; of numbers (t, H, W) those that are finite, from dark to light."""
    if pictures.ndim == 3:
        finite = pictures[np.isfinite(pictures)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        level = np.clip(np.nan_to_num((pictures - low) / max(high - low, 1e-9), nan=1.0, posinf=1.0), 0.0, 1.0)
        pictures = np.repeat((255 * level).astype(np.uint8)[..., None], 3, axis=-1)
    gap = np.pad(pictures, ((0, 0), (0, 0), (0, max(1, pictures.shape[2] // 40)), (0, 0)), constant_values=255)
    return np.concatenate(list(gap), axis=1)
