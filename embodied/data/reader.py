# SPDX-License-Identifier: Apache-2.0
"""Reads datasets in LeRobot v3.0 layout, ours and others'."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from embodied.data import layout
from embodied.data.layout import DatasetError, Feature
from embodied.data.video import read_frames


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What meta/info.json says."""

    fps: int
    total_episodes: int
    total_frames: int
    features: Mapping[str, Feature]
    data_path: str
    video_path: str | None


@dataclass(frozen=True, kw_only=True)
class RecordedEpisode:
    """One episode: `frames` holds for each feature an array whose first axis is time."""

    index: int
    task: str
    frames: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.frames["frame_index"])


class Dataset:
    """The episodes of the dataset in `root`. Raises DatasetError when there is none."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.info = read_info(root)
        self._rows = {row["episode_index"]: row for row in read_episode_rows(root)}
        if len(self._rows) != self.info.total_episodes:
            said, listed = self.info.total_episodes, len(self._rows)
            raise DatasetError(f"{root} says {said} episodes and lists {listed}: it is damaged")

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[RecordedEpisode]:
        return (self.episode(index) for index in sorted(self._rows))

    def stats(self) -> dict[str, dict[str, NDArray[Any]]]:
        """min, max, mean, std and count of every feature over the whole dataset."""
        content = _read_json(self.root / layout.STATS)
        return {key: {name: np.array(value) for name, value in each.items()} for key, each in content.items()}

    def episode(self, index: int, *, pictures: bool = True) -> RecordedEpisode:
        """One episode, with its pictures decoded unless `pictures` is False."""
        if index not in self._rows:
            raise DatasetError(f"{self.root} has no episode {index}; it has 0 to {len(self._rows) - 1}")
        row = self._rows[index]
        frames = self._columns(row)
        if pictures:
            videos = [key for key, feature in self.info.features.items() if feature.is_video]
            frames |= {key: self._pictures(row, key) for key in videos}
        return RecordedEpisode(index=index, task=row["tasks"][0], frames=frames)

    def _columns(self, row: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        place = {name: row[f"data/{name}"] for name in ("chunk_index", "file_index")}
        path = self.root / self.info.data_path.format(**place)
        table = _read_table(path, filters=[("episode_index", "==", row["episode_index"])])
        found = {}
        for key, feature in self.info.features.items():
            if not feature.is_video:
                values = np.array(table[key].to_pylist(), dtype=feature.dtype)
                found[key] = values if feature.shape == (1,) else values.reshape(-1, *feature.shape)
        return found

    def _pictures(self, row: Mapping[str, Any], key: str) -> NDArray[np.uint8]:
        assert self.info.video_path is not None
        path = self.root / self.info.video_path.format(
            video_key=key, chunk_index=row[f"videos/{key}/chunk_index"], file_index=row[f"videos/{key}/file_index"]
        )
        first = round(row[f"videos/{key}/from_timestamp"] * self.info.fps)
        return read_frames(path, first=first, count=row["length"], fps=self.info.fps)


def read_info(root: Path) -> DatasetInfo:
    """meta/info.json of the dataset in `root`. Raises DatasetError."""
    content = {"video_path": None} | _read_json(root / layout.INFO)
    version = content.get("codebase_version")
    if version != layout.VERSION:
        raise DatasetError(f"{root} is of version {version}; this reads {layout.VERSION}")
    try:
        known = {field.name: content[field.name] for field in fields(DatasetInfo) if field.name != "features"}
        features = {key: Feature.from_json(value) for key, value in content["features"].items()}
        return DatasetInfo(features=features, **known)
    except KeyError as error:
        raise DatasetError(f"{root / layout.INFO} lacks {error}") from None


def read_tasks(root: Path) -> dict[int, str]:
    """The words of every task, by index."""
    table = _read_table(root / layout.TASKS)
    return dict(zip(table["task_index"].to_pylist(), table["task"].to_pylist(), strict=True))


def read_episode_rows(root: Path) -> list[dict[str, Any]]:
    """meta/episodes, one dictionary for each episode that info.json counts."""
    total = read_info(root).total_episodes
    files = sorted((root / "meta" / "episodes").rglob("*.parquet"))
    rows = [row for path in files for row in _read_table(path).to_pylist()]
    # A file that was written just before a crash is not counted yet.
    return [row for row in rows if row["episode_index"] < total]


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DatasetError(f"{path} does not exist: no dataset is there, or it is not finished")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path} is damaged: {error}") from None
    return content


def _read_table(path: Path, filters: Any = None) -> Any:
    try:
        # A single file: without `partitioning=None` folder names would be read as columns.
        return pq.read_table(path, filters=filters, partitioning=None)
    except (OSError, ValueError) as error:
        raise DatasetError(f"cannot read {path}: {error}") from None
