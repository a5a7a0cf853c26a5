# SPDX-License-Identifier: Apache-2.0
"""Names, paths and features of a LeRobot v3.0 dataset."""

from dataclasses import dataclass
from typing import Any, Self

from embodied.errors import EmbodiedError

VERSION = "v3.0"
FILES_PER_CHUNK = 1000

INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"

STATE = "observation.state"
IMAGES = "observation.images."
DEPTH = "observation.depth."
ACTION = "action"
REWARD, DONE, SUCCESS = "next.reward", "next.done", "next.success"


class DatasetError(EmbodiedError):
    """A dataset that is missing, foreign, damaged or in the way; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column: what LeRobot's info.json says of it."""

    dtype: str  # float32, int64, bool or video
    shape: tuple[int, ...]
    names: tuple[str, ...] | None = None

    @property
    def is_video(self) -> bool:
        """Whether the column is kept as video and not in the table."""
        return self.dtype == "video"

    def to_json(self) -> dict[str, Any]:
        """As info.json has it."""
        names = list(self.names) if self.names else None
        return {"dtype": self.dtype, "shape": list(self.shape), "names": names}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """From info.json; keys that are not known are left out."""
        names = content.get("names")
        flat = tuple(str(name) for name in names) if isinstance(names, list) else None
        return cls(dtype=content["dtype"], shape=tuple(content["shape"]), names=flat)


def number(dtype: str) -> Feature:
    """A column of single numbers."""
    return Feature(dtype=dtype, shape=(1,))


DEFAULT_FEATURES = {
    "timestamp": number("float32"),  # seconds since the episode began
    "frame_index": number("int64"),
    "episode_index": number("int64"),
    "index": number("int64"),
    "task_index": number("int64"),
}
"""Columns that every dataset has; the writer fills them."""


def place(file_number: int) -> dict[str, int]:
    """Chunk and file index of the file that is `file_number` in the dataset."""
    return {"chunk_index": file_number // FILES_PER_CHUNK, "file_index": file_number % FILES_PER_CHUNK}
