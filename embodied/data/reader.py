# SPDX-License-Identifier: Apache-2.0
"""Reads datasets in LeRobot v3.0 layout, ours and others'."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied.data import layout
from embodied.data.digests import Digests
from embodied.data.layout import DatasetError, Feature
from embodied.data.table import from_arrow, read_rows, read_table
from embodied.data.video import read_frames
from embodied.errors import EmbodiedError, shown
from embodied.files import parse_json, read_text

_MOST_JSON_BYTES = 2**26
CONVERT = "python -m lerobot.datasets.v30.convert_dataset_v21_to_v30 --repo-id=..."
"""How LeRobot itself brings an older dataset to the layout that is read here."""


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What meta/info.json says."""

    fps: float
    total_episodes: int
    total_frames: int
    features: Mapping[str, Feature]
    data_path: str
    video_path: str | None
    robot_type: str | None


@dataclass(frozen=True, kw_only=True)
class RecordedEpisode:
    """One episode: `frames` holds for each feature an array whose first axis is time."""

    index: int
    words: tuple[str, ...]  # what the arm was told at each frame
    frames: Mapping[str, NDArray[Any]]
    extra: Mapping[str, Any]  # of ours: task, seed and what else the recorder knew

    @property
    def task(self) -> str:
        """What the arm was told first."""
        return self.words[0]

    def __len__(self) -> int:
        return len(self.frames["frame_index"])


class Dataset:
    """The episodes of the dataset in `root`. Raises DatasetError when there is none."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._digests = Digests(root)
        self._digests.check_meta()
        self.info = read_info(root)
        rows = read_episode_rows(root)
        self._rows = {row["episode_index"]: row for row in rows}
        if sorted(self._rows) != list(range(self.info.total_episodes)):
            said, listed = self.info.total_episodes, len(self._rows)
            raise DatasetError(f"{root} says {said} episodes and lists {listed}: it is damaged")
        if len(rows) != len(self._rows):
            raise DatasetError(f"{root} has {len(rows)} rows for {len(self._rows)} episodes: it is damaged")
        self._tasks = read_tasks(root) if self._rows else {}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[RecordedEpisode]:
        return (self.episode(index) for index in sorted(self._rows))

    def stats(self) -> dict[str, dict[str, NDArray[Any]]]:
        """min, max, mean, std, count and quantiles of every feature over the whole dataset."""
        path = self.root / layout.STATS
        try:
            return {
                key: {name: np.array(value, dtype=np.float64) for name, value in each.items()}
                for key, each in _read_json(path).items()
            }
        except (AttributeError, TypeError, ValueError) as error:
            raise DatasetError(f"{path} is damaged: {error}") from None

    def row(self, index: int) -> Mapping[str, Any]:
        """What meta/episodes says of one episode."""
        if index not in self._rows:
            raise DatasetError(f"{self.root} has no episode {index}; it has 0 to {len(self._rows) - 1}")
        return self._rows[index]

    def length(self, index: int) -> int:
        """How many frames an episode has."""
        return int(self.row(index)["length"])

    def episode(self, index: int, *, pictures: bool = True) -> RecordedEpisode:
        """One episode, with the pictures of its videos decoded unless `pictures` is False. Raises DatasetError."""
        row = self.row(index)
        try:
            frames = self._columns(row)
            if pictures:
                videos = [key for key, feature in self.info.features.items() if feature.is_video]
                frames |= {key: self._pictures(row, key) for key in videos}
            words = tuple(self._tasks[number] for number in frames["task_index"].tolist())
        except KeyError as error:
            raise DatasetError(f"episode {index} of {self.root} lacks {error}") from None
        return RecordedEpisode(index=index, words=words, frames=frames, extra=extra_of(row))

    def _columns(self, row: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        path = self.root / self.info.data_path.format(**place_of(row, "data"))
        self._digests.check(path)
        table = read_table(path, filters=[("episode_index", "==", row["episode_index"])])
        if len(table) != row["length"]:
            found = f"meta/episodes says {row['length']} frames, and the table has {len(table)}"
            raise DatasetError(f"episode {row['episode_index']} of {self.root} is damaged: {found}")
        features = {key: feature for key, feature in self.info.features.items() if not feature.is_video}
        return {key: from_arrow(key, feature, table[key], self.root) for key, feature in features.items()}

    def _pictures(self, row: Mapping[str, Any], key: str) -> NDArray[np.uint8]:
        path = self.video(row, key)
        first = round(row[f"videos/{key}/from_timestamp"] * self.info.fps)
        return read_frames(path, first=first, count=row["length"], fps=self.info.fps)

    def video(self, row: Mapping[str, Any], key: str) -> Path:
        """The file that an episode's pictures of the feature `key` are in, whole. Raises DatasetError."""
        assert self.info.video_path is not None, "read_info asks for it where there are videos"
        path = self.root / self.info.video_path.format(video_key=key, **place_of(row, f"videos/{key}"))
        self._digests.check(path)
        return path


def place_of(row: Mapping[str, Any], what: str) -> dict[str, int]:
    """Chunk and file index of an episode's `what`: data, or the videos of a feature."""
    return {name: row[f"{what}/{name}"] for name in ("chunk_index", "file_index")}


def extra_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the recorder kept with an episode; nothing in datasets of others."""
    own = {key: value for key, value in row.items() if key.startswith(layout.EXTRA) and value is not None}
    return {key.removeprefix(layout.EXTRA): value for key, value in own.items() if not key.startswith(layout.LEVELS)}


def read_info(root: Path) -> DatasetInfo:
    """meta/info.json of the dataset in `root`. Raises DatasetError."""
    content = {"video_path": None, "robot_type": None} | _read_json(root / layout.INFO)
    version = content.get("codebase_version")
    if version != layout.VERSION:
        older = f"; LeRobot converts it: {CONVERT}" if str(version).startswith("v2") else ""
        raise DatasetError(f"{root} is of version {version}; this reads {layout.VERSION}{older}")
    try:
        fps, episodes, frames = float(content["fps"]), int(content["total_episodes"]), int(content["total_frames"])
        features = {key: Feature.from_json(key, value) for key, value in content["features"].items()}
        data_path, video_path, robot_type = (content[name] for name in ("data_path", "video_path", "robot_type"))
    except KeyError as error:
        raise DatasetError(f"{root / layout.INFO} lacks {error}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{root / layout.INFO} is damaged: {error}") from None
    if not 0 < fps < float("inf") or not isinstance(data_path, str) or not isinstance(video_path, str | None):
        raise DatasetError(
            f"{root / layout.INFO} is damaged: fps {fps}, data_path {data_path}, video_path {video_path}"
        )
    if missing := sorted(layout.DEFAULT_FEATURES.keys() - features.keys()):
        raise DatasetError(f"{root / layout.INFO} lacks the features {', '.join(missing)}")
    _check_pattern(root, "data_path", data_path)
    for key in (key for key, feature in features.items() if feature.is_video):
        if video_path is None:
            raise DatasetError(f"{root / layout.INFO} lacks video_path, and feature {key!r} is a video")
        _check_pattern(root, "video_path", video_path, video_key=key)
    return DatasetInfo(
        fps=fps,
        total_episodes=episodes,
        total_frames=frames,
        features=features,
        data_path=data_path,
        video_path=video_path,
        robot_type=robot_type,
    )


def _check_pattern(root: Path, name: str, pattern: str, **given: str) -> None:
    """Raises DatasetError unless `pattern` names a file where chunk and file are given."""
    try:
        pattern.format(**given, **layout.place(0))
    except (LookupError, AttributeError, ValueError, TypeError) as error:
        wanted = layout.VIDEO if given else layout.DATA
        why = f"{name} {pattern!r} is no pattern such as {wanted} ({error!r})"
        raise DatasetError(f"{root / layout.INFO} is damaged: {why}") from None


def read_made_with(root: Path) -> dict[str, Any]:
    """What a dataset of ours was recorded with; nothing of others'."""
    if not (root / layout.OWN).is_file():
        return {}
    made_with = _read_json(root / layout.OWN).get("made_with")
    if not isinstance(made_with, dict):
        raise DatasetError(f"{root / layout.OWN} is damaged: it lacks made_with")
    return made_with


def read_tasks(root: Path) -> dict[int, str]:
    """The words of every task, by index."""
    tasks = {}
    for row in read_rows(root / layout.TASKS):
        # The words are the index of a pandas table, which has a name or none.
        words = [value for name, value in row.items() if name != "task_index"]
        if "task_index" not in row or len(words) != 1:
            raise DatasetError(f"{root / layout.TASKS} has no words and task_index, but {shown(list(row))}")
        tasks[row["task_index"]] = str(words[0])
    return tasks


def read_episode_rows(root: Path) -> list[dict[str, Any]]:
    """meta/episodes, one dictionary for each episode that info.json counts. Raises DatasetError for a broken one."""
    info = read_info(root)
    files = sorted((root / "meta" / "episodes").rglob("*.parquet"))
    rows = [row for path in files for row in read_rows(path)]
    try:
        # A file that was written just before a crash is not counted yet.
        rows = [row for row in rows if row["episode_index"] < info.total_episodes]
    except (KeyError, TypeError):
        raise DatasetError(f"{root / 'meta' / 'episodes'} has rows without episode_index: it is damaged") from None
    videos = [f"videos/{key}" for key, feature in info.features.items() if feature.is_video]
    for row in rows:
        if fault := _row_fault(row, videos):
            raise DatasetError(f"{root / 'meta' / 'episodes'} is damaged: episode {row['episode_index']} has {fault}")
    return rows


def _row_fault(row: Mapping[str, Any], videos: Sequence[str]) -> str:
    """What is wrong with a row of meta/episodes; empty where it says all that reading an episode takes."""
    places = [f"{what}/{name}" for what in ("data", *videos) for name in ("chunk_index", "file_index")]
    for name in ("length", *places):
        value, least = row.get(name), 1 if name == "length" else 0
        if not isinstance(value, int) or value < least:
            return f"{name} {value!r}, which must be a whole number from {least} on"
    for name in (f"{video}/from_timestamp" for video in videos):
        value = row.get(name)
        if not isinstance(value, int | float) or not 0.0 <= value < math.inf:
            return f"{name} {value!r}, which must be seconds from 0 on"
    tasks = row.get("tasks")
    if not isinstance(tasks, list) or not tasks or not all(isinstance(task, str) for task in tasks):
        return f"tasks {tasks!r}, which must be a list of words"
    return ""


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DatasetError(f"{path} does not exist: no dataset is there, or it is not finished")
    try:
        content = parse_json(read_text(path, "JSON", most_bytes=_MOST_JSON_BYTES))
    except (EmbodiedError, ValueError) as error:
        raise DatasetError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is damaged: it holds a {type(content).__name__} and no object")
    return content
