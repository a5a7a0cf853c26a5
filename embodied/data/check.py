# SPDX-License-Identifier: Apache-2.0
"""Reads every file of a dataset and tells what is wrong with it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied.data import layout
from embodied.data.layout import DatasetError, Feature
from embodied.data.reader import Dataset, RecordedEpisode, read_made_with
from embodied.data.stats import QUANTILES, sample, stats_of
from embodied.data.video import count_frames
from embodied.language.verbs import parse_plan

TOLERANCE_S = 1e-4
"""How far a timestamp may be from its place at the dataset's rate: LeRobot's own limit."""
_LOSSY = 0.05
"""How far the mean of decoded pictures may be from that of the pictures that were encoded, of 1."""

Samples = dict[str, list[NDArray[Any]]]


def faults(root: Path) -> Iterator[str]:
    """A line for each fault of the dataset in `root`; none where it is whole."""
    try:
        dataset = Dataset(root)
        told = dataset.stats() if len(dataset) else {}
        # Others put quantiles together from those of episodes, which is not the same.
        names = ("min", "max", "mean", "std", *(QUANTILES if read_made_with(root) else ()))
    except DatasetError as error:
        yield str(error)
        return
    yield from _names_faults(dataset.info.features)
    frames, samples, lengths = 0, dict[str, list[NDArray[Any]]](), Counter[Path]()
    for index in range(len(dataset)):
        row = dataset.row(index)
        try:
            episode = dataset.episode(index)
            for key in (key for key, feature in dataset.info.features.items() if feature.is_video):
                lengths[dataset.video(row, key)] += len(episode)
        except DatasetError as error:
            yield f"episode {index}: {error}"
            continue
        yield from (f"episode {index}: {fault}" for fault in _episode_faults(dataset, row, episode, frames))
        frames += len(episode)
        for key, feature in dataset.info.features.items():
            if feature.dtype != "string":
                samples.setdefault(key, []).append(sample(feature, episode.frames[key]))
    if frames != dataset.info.total_frames:
        yield f"{layout.INFO} says {dataset.info.total_frames} frames, and {frames} can be read"
    for path, wanted in lengths.items():
        if (found := count_frames(path)) != wanted:
            yield f"{path} has {found} pictures, and its episodes have {wanted} frames"
    for key, each in samples.items():
        yield from _stats_faults(key, dataset.info.features[key], each, told, names)


def _names_faults(features: Mapping[str, Feature]) -> Iterator[str]:
    """Names are those of the numbers in a row of them, and those of the axes elsewhere."""
    for key, feature in features.items():
        wanted = feature.shape[0] if len(feature.shape) == 1 else len(feature.shape)
        if feature.names is not None and len(feature.names) != wanted:
            shape = list(feature.shape)
            yield f"{layout.INFO} gives {key} {len(feature.names)} names, and its shape {shape} needs {wanted}"


def _episode_faults(dataset: Dataset, row: Mapping[str, Any], episode: RecordedEpisode, start: int) -> Iterator[str]:
    steps = np.arange(len(episode))
    if (bounds := (row.get("dataset_from_index"), row.get("dataset_to_index"))) != (start, start + len(episode)):
        yield f"meta/episodes says frames {bounds[0]} to {bounds[1]}, and it is {start} to {start + len(episode)}"
    for key, wanted in {
        "frame_index": steps,
        "index": start + steps,
        "episode_index": 0 * steps + episode.index,
    }.items():
        if not np.array_equal(episode.frames[key], wanted):
            yield f"{key} does not count from {wanted[0]} to {wanted[-1]}"
    late = np.abs(episode.frames["timestamp"] - steps / dataset.info.fps).max()
    if not late <= TOLERANCE_S:
        yield f"timestamp is up to {late:.4f} s off the rate of {dataset.info.fps:g} Hz"
    if set(episode.words) != set(row["tasks"]):
        yield f"meta/episodes says {row['tasks']}, and the frames were told {sorted(set(episode.words))}"
    if plan := episode.extra.get("plan"):
        try:
            parse_plan(str(plan))
        except ValueError as error:
            yield f"{layout.EXTRA}plan is {error}"
    for key, feature in dataset.info.features.items():
        values = episode.frames[key]
        if feature.dtype in layout.PICTURES and sorted(values.shape[1:]) != sorted(feature.shape):
            yield f"{key} has pictures of {list(values.shape[1:])}, and {layout.INFO} says {list(feature.shape)}"
        # Depth is infinite where nothing came back.
        flat = len(feature.shape) == 1
        if feature.is_number and not (np.isfinite(values).all() if flat else not np.isnan(values).any()):
            yield f"{key} holds a number that is not finite"


def _stats_faults(
    key: str, feature: Feature, samples: Sequence[NDArray[Any]], told: Mapping[str, Any], names: Sequence[str]
) -> Iterator[str]:
    found, said = stats_of(feature, samples), told.get(key, {})
    span = float((found["max"] - found["min"]).max())
    tolerance = 1e-3 * span + 1e-6
    if not feature.is_number:
        # Not std: LeRobot 0.4 squares pixels in 8 bits, so that those of its own pictures are wrong.
        names, tolerance = ("mean",), _LOSSY
    for name in names:
        if name not in said:
            yield f"{layout.STATS} lacks {name} of {key}"
        elif said[name].shape != found[name].shape:
            if len(feature.shape) == 1:  # others have statistics of another shape for rows of rows
                yield f"{layout.STATS} says {name} of {key} of the shape {list(said[name].shape)}"
        elif not (off := float(np.abs(said[name] - found[name]).max())) <= tolerance:
            yield f"{layout.STATS} says a {name} of {key} that is {off:.3g} off"
