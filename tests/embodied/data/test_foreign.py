# SPDX-License-Identifier: Apache-2.0
"""Datasets of others: read as they are, or refused in one line that names the feature and why."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("av")

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from embodied.data import layout
from embodied.data.layout import DatasetError
from embodied.data.reader import Dataset

LENGTHS = (3, 2)
FRAMES = sum(LENGTHS)
PICTURES = np.random.default_rng(0).integers(0, 256, (FRAMES, 4, 6, 3), np.uint8)
WORDS = ("open the drawer", "close it")
TOLD = (0, 0, 1, 1, 0)
"""In the middle of the first episode it is told something else."""
NUMBER = {"shape": [1], "names": None}
FEATURES: dict[str, Any] = {
    "observation.images.top": {"dtype": "image", "shape": [4, 6, 3], "names": ["height", "width", "channels"]},
    "observation.state": {"dtype": "float64", "shape": [2], "names": {"motors": ["shoulder", "elbow"]}},
    "observation.map": {"dtype": "int16", "shape": [2, 3], "names": None},
    "operator": {"dtype": "string", "shape": [1], "names": None},
    "grip": {"dtype": "uint8", **NUMBER},
    **{key: {"dtype": feature.dtype, **NUMBER} for key, feature in layout.DEFAULT_FEATURES.items()},
}


def png(pixels: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def columns() -> dict[str, Any]:
    inner = [step for length in LENGTHS for step in range(length)]
    return {
        "observation.images.top": [{"bytes": png(picture), "path": None} for picture in PICTURES],
        "observation.state": [[0.5 * step, -1.0] for step in range(FRAMES)],
        "observation.map": [[[step, 1, 2], [3, 4, 5]] for step in range(FRAMES)],
        "operator": [f"anne{step}" for step in range(FRAMES)],
        "grip": list(range(FRAMES)),
        "timestamp": [step / 12.5 for step in inner],
        "frame_index": inner,
        "episode_index": [episode for episode, length in enumerate(LENGTHS) for _ in range(length)],
        "index": list(range(FRAMES)),
        "task_index": list(TOLD),
    }


def write(root: Path, *, data: dict[str, Any] | None = None, **info: Any) -> Path:
    """A dataset as others write it: with pandas, so that the words have no name, and a rate that is no whole number."""
    rows, start = [], 0
    for episode, length in enumerate(LENGTHS):
        place = {f"{what}/{name}": 0 for what in ("data", "meta/episodes") for name in ("chunk_index", "file_index")}
        words = [WORDS[number] for number in dict.fromkeys(TOLD[start : start + length])]
        row = {"episode_index": episode, "tasks": words, "length": length}
        rows.append(row | place | {"dataset_from_index": start, "dataset_to_index": start + length})
        start += length
    tables = {
        layout.DATA.format(chunk_index=0, file_index=0): pa.table(data or columns()),
        layout.EPISODES.format(chunk_index=0, file_index=0): pa.Table.from_pylist(rows),
        layout.TASKS: pa.table({"task_index": [0, 1], "__index_level_0__": list(WORDS)}),
    }
    for name, table in tables.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, root / name)
    content = {
        "codebase_version": "v3.0",
        "robot_type": "so100",
        "fps": 12.5,
        "total_episodes": 2,
        "total_frames": FRAMES,
        "data_path": layout.DATA,
        "features": FEATURES,
    }
    (root / layout.INFO).write_text(json.dumps(content | info))
    return root


def test_pictures_words_and_numbers_of_any_type_are_read(tmp_path: Path) -> None:
    dataset = Dataset(write(tmp_path))
    assert dataset.info.fps == 12.5 and dataset.info.robot_type == "so100"
    assert dataset.info.features["observation.state"].names == ("shoulder", "elbow")
    first, second = dataset
    np.testing.assert_array_equal(first.frames["observation.images.top"], PICTURES[:3])
    np.testing.assert_array_equal(second.frames["observation.images.top"], PICTURES[3:])
    assert second.frames["operator"].tolist() == ["anne3", "anne4"]
    assert second.frames["observation.state"].tolist() == [[1.5, -1.0], [2.0, -1.0]]
    assert second.frames["observation.map"].dtype == np.int16
    assert second.frames["observation.map"].tolist() == [[[step, 1, 2], [3, 4, 5]] for step in (3, 4)]
    assert second.frames["grip"].tolist() == [3, 4]
    assert first.words == ("open the drawer", "open the drawer", "close it")
    assert second.words == ("close it", "open the drawer") and second.task == "close it"
    assert first.extra == {}


def test_pictures_that_are_files_of_their_own_are_read(tmp_path: Path) -> None:
    data = columns()
    (tmp_path / "images").mkdir()
    for step, picture in enumerate(PICTURES):
        (tmp_path / "images" / f"{step}.png").write_bytes(png(picture))
    data["observation.images.top"] = [{"bytes": None, "path": f"images/{step}.png"} for step in range(FRAMES)]
    first, _ = Dataset(write(tmp_path, data=data))
    np.testing.assert_array_equal(first.frames["observation.images.top"], PICTURES[:3])


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "no picture": (
        lambda data: data["observation.images.top"].__setitem__(1, {"bytes": b"GIF89a", "path": None}),
        r"feature 'observation\.images\.top' holds what is no picture",
    ),
    "no file": (
        lambda data: data["observation.images.top"].__setitem__(1, {"bytes": None, "path": "nowhere.png"}),
        r"feature 'observation\.images\.top' holds what is no picture: .*nowhere\.png",
    ),
    "other size": (
        lambda data: data["observation.images.top"].__setitem__(1, {"bytes": png(PICTURES[0, :2]), "path": None}),
        r"feature 'observation\.images\.top' should have the shape \[4, 6, 3\]",
    ),
    "no number": (
        lambda data: data.update(grip=["a"] * FRAMES),
        r"feature 'grip' should hold uint8 and holds string",
    ),
    "other shape": (
        lambda data: data.update({"observation.state": [[1.0, 2.0, 3.0]] * FRAMES}),
        r"feature 'observation\.state' should have the shape \[2\] in each of 3 frames, and has 9 numbers",
    ),
    "missing value": (
        lambda data: data["operator"].__setitem__(1, None),
        r"feature 'operator' lacks 1 of 3 values",
    ),
    "missing number": (
        lambda data: data["observation.state"].__setitem__(1, [None, 1.0]),
        r"feature 'observation\.state' lacks 1 of its numbers",
    ),
    "missing column": (lambda data: data.pop("grip"), r"episode 0 of .* lacks .*grip"),
    "other words": (lambda data: data.update(task_index=[7] * FRAMES), r"episode 0 of .* lacks 7"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_as_it_says_is_refused_with_its_name(tmp_path: Path, fault: str) -> None:
    spoil, reason = FAULTS[fault]
    data = columns()
    spoil(data)
    with pytest.raises(DatasetError, match=reason) as caught:
        Dataset(write(tmp_path, data=data)).episode(0)
    assert "\n" not in str(caught.value)


INFOS: dict[str, tuple[dict[str, Any], str]] = {
    "older": ({"codebase_version": "v2.1"}, r"is of version v2\.1; this reads v3\.0; LeRobot converts it: python -m"),
    "newer": ({"codebase_version": "v4.0"}, r"is of version v4\.0; this reads v3\.0$"),
    "type": (
        {"features": FEATURES | {"sound": {"dtype": "audio", "shape": [1]}}},
        r"feature 'sound' is of type 'audio'",
    ),
    "shape": ({"features": FEATURES | {"grip": {"dtype": "uint8"}}}, r"feature 'grip' has no type and shape"),
    "side": (
        {"features": FEATURES | {"grip": {"dtype": "uint8", "shape": [0]}}},
        r"feature 'grip' has the shape \[0\]",
    ),
    "features": ({"features": []}, r"info\.json is damaged"),
    "rate": ({"fps": 0}, r"info\.json is damaged: fps 0"),
    "words for a rate": ({"fps": "fast"}, r"info\.json is damaged"),
    "columns": ({"features": {"grip": FEATURES["grip"]}}, r"lacks the features episode_index, frame_index"),
    "video": (
        {"features": FEATURES | {"observation.images.side": {"dtype": "video", "shape": [4, 6, 3]}}},
        r"lacks video_path, and feature 'observation\.images\.side' is a video",
    ),
}


@pytest.mark.parametrize("fault", INFOS)
def test_what_cannot_be_read_says_so_in_one_line(tmp_path: Path, fault: str) -> None:
    info, reason = INFOS[fault]
    with pytest.raises(DatasetError, match=reason) as caught:
        Dataset(write(tmp_path, **info)).episode(0)
    assert "\n" not in str(caught.value)
