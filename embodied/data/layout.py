# SPDX-License-Identifier: Apache-2.0
"""Names, paths and features of a LeRobot v3.0 dataset."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from embodied.errors import EmbodiedError

VERSION = "v3.0"
FILES_PER_CHUNK = 1000

INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
OWN = "meta/embodied.json"
"""A file of ours, which LeRobot does not read: `made_with` says what the episodes were recorded with."""
EXTRA = "embodied."
"""Prefix of the columns in meta/episodes that are ours; other readers ignore them."""
LEVELS = f"{EXTRA}levels/"
"""Among those: how often each level comes in an episode's pictures, for the statistics of the whole."""
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"

OBSERVATION = "observation."
STATE = f"{OBSERVATION}state"
IMAGES, DEPTH = f"{OBSERVATION}images.", f"{OBSERVATION}depth."
ACTION = "action"
REWARD, DONE, SUCCESS = "next.reward", "next.done", "next.success"

NUMBERS = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "float32", "float64")
"""Types of the numbers in a table."""
PICTURES = ("video", "image")
TYPES = (*NUMBERS, *PICTURES, "string")


class DatasetError(EmbodiedError):
    """A dataset that is missing, foreign, damaged or in the way; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column: what LeRobot's info.json says of it."""

    dtype: str  # one of TYPES
    shape: tuple[int, ...]
    names: tuple[str, ...] | None = None

    @property
    def is_video(self) -> bool:
        """Whether the column is kept as video and not in the table."""
        return self.dtype == "video"

    @property
    def is_number(self) -> bool:
        """Whether the column holds numbers: no pictures and no text."""
        return self.dtype in NUMBERS

    def to_json(self) -> dict[str, Any]:
        """As info.json has it."""
        names = list(self.names) if self.names else None
        return {"dtype": self.dtype, "shape": list(self.shape), "names": names}

    @classmethod
    def from_json(cls, key: str, content: Any) -> Self:
        """From info.json; keys that are not known are left out. Raises DatasetError for what is no feature."""
        try:
            dtype, shape = content["dtype"], tuple(int(side) for side in content["shape"])
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"feature {key!r} has no type and shape: {error!r}") from None
        if dtype not in TYPES:
            raise DatasetError(f"feature {key!r} is of type {dtype!r}; this reads {', '.join(TYPES)}")
        if min(shape, default=0) < 1:
            raise DatasetError(f"feature {key!r} has the shape {list(shape)}; sides are whole numbers from 1 on")
        return cls(dtype=dtype, shape=shape, names=tuple(_words(content.get("names"))) or None)


def _words(names: Any) -> Iterator[str]:
    """The names in a list, or in a dictionary of lists, as others write them."""
    if isinstance(names, Mapping):
        names = [each for group in names.values() if isinstance(group, list) for each in group]
    yield from (str(name) for name in names or ())


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
