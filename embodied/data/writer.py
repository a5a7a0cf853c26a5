# SPDX-License-Identifier: Apache-2.0
"""Writes episodes in LeRobot v3.0 layout, a file of several episodes at a time.

A file is written under a temporary name and counts from the moment in which `meta/info.json` knows
it: after a crash the dataset is whole up to there, and `resume=True` goes on.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embodied.data import layout
from embodied.data.digests import Digests
from embodied.data.identity import Identity, differences
from embodied.data.layout import DatasetError, Feature
from embodied.data.reader import extra_of, place_of, read_episode_rows, read_info, read_made_with, read_tasks
from embodied.data.stats import Stats, sample, stats_of, stats_to_json
from embodied.data.table import TableWriter, from_arrow, read_table, to_arrow
from embodied.data.video import VideoWriter, choose_encoder
from embodied.files import write_json, write_text
from embodied.sums import SUMS, digest_of, text_of


class DatasetWriter:
    """Appends episodes to the dataset in `root`.

    `made_with` is what the episodes are recorded with, and is kept. Raises DatasetError when `root` holds
    something already, unless `resume` and it is a dataset that was made with the same, of the same features
    and rate.
    """

    def __init__(
        self,
        root: Path,
        *,
        fps: int,
        robot_type: str,
        features: Mapping[str, Feature],
        made_with: Identity,
        episodes_per_file: int = 50,
        resume: bool = False,
    ) -> None:
        self.root, self.fps, self._robot_type = root, fps, robot_type
        self._features = {**features, **layout.DEFAULT_FEATURES}
        self._videos = [key for key, feature in features.items() if feature.is_video]
        self._encoder = choose_encoder() if self._videos else ""
        self._episodes_per_file = episodes_per_file
        self._tasks: dict[str, int] = {}
        self._samples: dict[str, list[NDArray[Any]]] = {key: [] for key in self._features}
        self.extras: list[dict[str, Any]] = []
        """`extra` of every episode, those of an earlier run included."""
        self._committed_episodes = self._frames = self._file = 0
        self._digests: dict[str, str] = {}
        if root.exists() and any(root.iterdir()):
            self._continue(resume, made_with)
        else:
            write_json(root / layout.OWN, {"made_with": dict(made_with)})
            write_json(root / layout.INFO, self._info())
        self._open_file()

    @property
    def episodes(self) -> int:
        """Episodes so far, with those of the file that is still open."""
        return self._committed_episodes + len(self._rows)

    def add_episode(
        self, task: str, frames: Mapping[str, NDArray[Any]], *, extra: Mapping[str, Any] | None = None
    ) -> None:
        """Append one episode: for each feature an array whose first axis is time; `task` is its words.

        `extra` is kept with the episode, in columns of our own that other readers ignore.
        """
        wanted = self._features.keys() - layout.DEFAULT_FEATURES.keys()
        assert frames.keys() == wanted, f"frames hold {sorted(frames)}, features are {sorted(wanted)}"
        lengths = {len(values) for values in frames.values()}
        assert len(lengths) == 1 and 0 not in lengths, f"frames of unequal or no length: {lengths}"
        length = lengths.pop()
        task_index = self._tasks.setdefault(task, len(self._tasks))
        steps = np.arange(length)
        columns = dict(frames) | {
            "timestamp": (steps / self.fps).astype(np.float32),
            "frame_index": steps,
            "episode_index": np.full(length, self.episodes),
            "index": steps + self._frames,
            "task_index": np.full(length, task_index),
        }
        samples = {key: sample(self._features[key], values) for key, values in columns.items()}
        row = self._row(task, length, samples)
        row |= {layout.EXTRA + name: value for name, value in (extra or {}).items()}
        for key in self._videos:
            self._writers[key].write(columns.pop(key))
        order = [key for key in self._features if key in columns]
        self._table.write(pa.table({key: to_arrow(self._features[key], columns[key]) for key in order}))
        self._rows.append(row)
        self.extras.append(dict(extra or {}))
        for key, each in samples.items():
            self._samples[key].append(each)
        self._frames += length
        if len(self._rows) >= self._episodes_per_file:
            self._commit()
            self._open_file()

    def close(self) -> None:
        """Keep the episodes that were added so far."""
        self._commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _row(self, task: str, length: int, samples: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        place = layout.place(self._file)
        row: dict[str, Any] = {
            "episode_index": self.episodes,
            "tasks": [task],
            "length": length,
            "dataset_from_index": self._frames,
            "dataset_to_index": self._frames + length,
        }
        for folder in ("data", "meta/episodes", *(f"videos/{key}" for key in self._videos)):
            row |= {f"{folder}/{name}": value for name, value in place.items()}
        for key in self._videos:
            start = self._writers[key].frames
            row[f"videos/{key}/from_timestamp"] = start / self.fps
            row[f"videos/{key}/to_timestamp"] = (start + length) / self.fps
            row[layout.LEVELS + key] = samples[key].tolist()
        stats = {key: stats_of(self._features[key], [each]) for key, each in samples.items()}
        for key, each in stats_to_json(stats).items():
            row |= {f"stats/{key}/{name}": value for name, value in each.items()}
        return row

    def _path(self, template: str, key: str = "") -> Path:
        return self.root / template.format(video_key=key, **layout.place(self._file))

    def _open_file(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._table = TableWriter(self._path(layout.DATA))
        self._writers = {
            key: VideoWriter(self._path(layout.VIDEO, key), fps=self.fps, encoder=self._encoder) for key in self._videos
        }

    def _commit(self) -> None:
        if not self._rows:
            return
        self._table.close()
        for writer in self._writers.values():
            writer.close()
        self._writers = {}
        # Every row with every column: a table has those of its first row, and an episode may know more than another.
        columns = dict.fromkeys(key for row in self._rows for key in row)
        rows = [dict.fromkeys(columns) | row for row in self._rows]
        _write_table(self._path(layout.EPISODES), pa.Table.from_pylist(rows))
        # Cut short between here and the end, it is whole and has no digests until it goes on.
        (self.root / SUMS).unlink(missing_ok=True)
        _write_table(self.root / layout.TASKS, _task_table(self._tasks))
        write_json(self.root / layout.STATS, stats_to_json(self._stats()))
        self._committed_episodes += len(self._rows)
        self._rows = []
        write_json(self.root / layout.INFO, self._info())
        self._note(self._file)
        meta = (layout.OWN, layout.TASKS, layout.STATS, layout.INFO)
        self._digests |= {name: digest_of(self.root / name) for name in meta}
        write_text(self.root / SUMS, text_of(self._digests))
        self._file += 1

    def _note(self, number: int) -> None:
        """Take note of the digests of file `number` of everything."""
        names = [layout.DATA, layout.EPISODES, *(layout.VIDEO.replace("{video_key}", key) for key in self._videos)]
        for name in (each.format(**layout.place(number)) for each in names):
            self._digests[name] = digest_of(self.root / name)

    def _stats(self) -> dict[str, Stats]:
        return {key: stats_of(feature, self._samples[key]) for key, feature in self._features.items()}

    def _info(self) -> dict[str, Any]:
        features = {key: feature.to_json() for key, feature in self._features.items()}
        for key in self._videos:
            height, width, channels = self._features[key].shape
            features[key]["info"] = {
                "video.height": height,
                "video.width": width,
                "video.channels": channels,
                "video.fps": self.fps,
                "video.codec": "av1" if self._encoder == "libsvtav1" else "h264",
                "video.pix_fmt": "yuv420p",
                "video.is_depth_map": False,
                "has_audio": False,
            }
        return {
            "codebase_version": layout.VERSION,
            "robot_type": self._robot_type,
            "total_episodes": self._committed_episodes,
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "chunks_size": layout.FILES_PER_CHUNK,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": self.fps,
            "splits": {"train": f"0:{self._committed_episodes}"},
            "data_path": layout.DATA,
            "video_path": layout.VIDEO if self._videos else None,
            "features": features,
        }

    def _continue(self, resume: bool, made_with: Identity) -> None:
        if not (self.root / layout.INFO).exists():
            raise DatasetError(f"{self.root} is not empty and no dataset: choose another out=")
        known = Digests(self.root)
        known.check_meta()
        info = read_info(self.root)
        if not resume:
            remedy = "choose another out=, or resume=true to go on with them"
            raise DatasetError(f"{self.root} holds {info.total_episodes} episodes already: {remedy}")
        if other := differences(made_with, read_made_with(self.root), "in the dataset"):
            raise DatasetError(f"{self.root} was made with something else: {'; '.join(other)}; choose another out=")
        ours = {key: feature.to_json() for key, feature in self._features.items()}
        theirs = {key: feature.to_json() for key, feature in info.features.items()}
        if ours != theirs or info.fps != self.fps:
            raise DatasetError(f"{self.root} has other features or another rate: choose another out=")
        rows = read_episode_rows(self.root)
        self._tasks = {task: index for index, task in read_tasks(self.root).items()} if rows else {}
        for row in rows:
            self._remember(row)
        self._committed_episodes, self._frames = info.total_episodes, info.total_frames
        if rows:
            last = rows[-1]
            self._file = last["data/chunk_index"] * layout.FILES_PER_CHUNK + last["data/file_index"] + 1
        self._digests = dict(known.told)
        for number in () if known.told else range(self._file):
            self._note(number)

    def _remember(self, row: Mapping[str, Any]) -> None:
        """What an episode of an earlier run adds to the statistics."""
        path = self.root / layout.DATA.format(**place_of(row, "data"))
        table = read_table(path, filters=[("episode_index", "==", row["episode_index"])])
        for key, feature in self._features.items():
            if feature.is_video:
                self._samples[key].append(np.array(row[layout.LEVELS + key]))
            else:
                self._samples[key].append(sample(feature, from_arrow(key, feature, table[key], self.root)))
        self.extras.append(extra_of(row))


def _task_table(tasks: Mapping[str, int]) -> pa.Table:
    table = pa.table({"task_index": pa.array(list(tasks.values()), pa.int64()), "task": list(tasks)})
    # LeRobot reads this file with pandas and looks words up in the index.
    kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
        for name, (kind, numpy) in kinds.items()
    ]
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.0.0"}
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _write_table(path: Path, table: pa.Table) -> None:
    writer = TableWriter(path)
    writer.write(table)
    writer.close()
