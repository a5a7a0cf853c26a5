# SPDX-License-Identifier: Apache-2.0
"""Datasets: what is written is read back, and nothing is ever overwritten or lost."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("av")

import pyarrow.parquet as pq

from embodied.data import layout
from embodied.data.layout import DatasetError, Feature, number
from embodied.data.reader import Dataset
from embodied.data.stats import QUANTILES, sample, stats_of
from embodied.data.writer import DatasetWriter

FRONT = "observation.images.front"
SIZE = 48
FEATURES = {
    FRONT: Feature(dtype="video", shape=(SIZE, SIZE, 3), names=("height", "width", "channels")),
    layout.STATE: Feature(dtype="float32", shape=(3,), names=("a", "b", "c")),
    layout.ACTION: Feature(dtype="float32", shape=(2,)),
    layout.SUCCESS: number("bool"),
}
MADE_WITH = {"split": "seen", "camera": ["front"]}


def frames(episode: int, length: int) -> dict[str, Any]:
    """Numbers that name their episode and frame; pictures whose brightness does."""
    rng = np.random.default_rng(episode)
    light = (40 * episode + 10 * np.arange(length) + 20).astype(np.uint8)
    return {
        FRONT: np.broadcast_to(light[:, None, None, None], (length, SIZE, SIZE, 3)),
        layout.STATE: rng.normal(size=(length, 3)).astype(np.float32),
        layout.ACTION: rng.normal(size=(length, 2)).astype(np.float32),
        layout.SUCCESS: np.arange(length) == length - 1,
    }


def writer(root: Path, **options: Any) -> DatasetWriter:
    settings = {
        "fps": 10,
        "robot_type": "panda",
        "features": FEATURES,
        "episodes_per_file": 2,
        "made_with": MADE_WITH,
    } | options
    return DatasetWriter(root, **settings)


def record(root: Path, episodes: range, **options: Any) -> None:
    with writer(root, **options) as dataset:
        for episode in episodes:
            dataset.add_episode(f"task {episode % 2}", frames(episode, 4 + episode), extra={"seed": episode})


def check(root: Path, episodes: int) -> None:
    dataset = Dataset(root)
    assert len(dataset) == episodes
    total = 0
    for index, episode in enumerate(dataset):
        wanted = frames(index, 4 + index)
        assert episode.task == f"task {index % 2}"
        assert len(episode) == 4 + index
        for key in (layout.STATE, layout.ACTION, layout.SUCCESS):
            np.testing.assert_array_equal(episode.frames[key], wanted[key])
        # The nearest frames differ by 10 grey levels: a picture of another frame would show.
        error = np.abs(episode.frames[FRONT].astype(int) - wanted[FRONT].astype(int))
        assert error.mean() < 3
        np.testing.assert_allclose(episode.frames["timestamp"], np.arange(4 + index) / 10, rtol=1e-6)
        np.testing.assert_array_equal(episode.frames["index"], total + np.arange(4 + index))
        total += len(episode)
    assert dataset.info.total_frames == total


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    record(tmp_path / "set", range(5))
    check(tmp_path / "set", 5)


def test_an_interrupted_dataset_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "set"
    record(root, range(3))
    record(root, range(3, 5), resume=True)
    check(root, 5)
    assert writer(root, resume=True).extras == [{"seed": episode} for episode in range(5)]


def test_a_crash_loses_only_the_open_file(tmp_path: Path) -> None:
    root = tmp_path / "set"
    crashed = writer(root)
    for episode in range(3):  # two are in a finished file
        crashed.add_episode(f"task {episode % 2}", frames(episode, 4 + episode))
    assert len(Dataset(root)) == 2
    record(root, range(2, 5), resume=True)
    check(root, 5)


def test_a_file_that_info_does_not_count_is_ignored(tmp_path: Path) -> None:
    root = tmp_path / "set"
    record(root, range(2))
    before = (root / layout.INFO).read_text()
    record(root, range(2, 4), resume=True)
    (root / layout.INFO).write_text(before)  # as if it had crashed just before the last writes
    (root / "SHA256SUMS").unlink()
    check(root, 2)
    record(root, range(2, 5), resume=True)
    check(root, 5)


def test_a_crash_before_the_first_file_can_be_resumed(tmp_path: Path) -> None:
    root = tmp_path / "set"
    writer(root).add_episode("task 0", frames(0, 4))
    assert len(Dataset(root)) == 0
    record(root, range(3), resume=True)
    check(root, 3)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    root = tmp_path / "set"
    record(root, range(2))
    with pytest.raises(DatasetError, match=r"holds 2 episodes already.*resume=true"):
        writer(root)
    with pytest.raises(DatasetError, match="another rate"):
        writer(root, resume=True, fps=20)
    with pytest.raises(DatasetError, match="other features"):
        writer(root, resume=True, features={layout.ACTION: number("float32")})
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years of work")
    for resume in (False, True):
        with pytest.raises(DatasetError, match="no dataset"):
            writer(foreign, resume=resume)
    assert (foreign / "thesis.tex").read_text() == "years of work"


def test_a_damaged_dataset_says_which_file(tmp_path: Path) -> None:
    root = tmp_path / "set"
    record(root, range(2))
    with pytest.raises(DatasetError, match="no episode 7"):
        Dataset(root).episode(7)
    video = root / layout.VIDEO.format(video_key=FRONT, chunk_index=0, file_index=0)
    video.write_bytes(video.read_bytes()[:100])
    with pytest.raises(DatasetError, match=r"file-000\.mp4"):
        Dataset(root).episode(0)
    assert len(Dataset(root).episode(0, pictures=False)) == 4
    (root / layout.DATA.format(chunk_index=0, file_index=0)).write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=r"file-000\.parquet"):
        Dataset(root).episode(0, pictures=False)
    info = json.loads((root / layout.INFO).read_text())
    (root / layout.INFO).write_text(json.dumps(info | {"codebase_version": "v2.1"}))
    with pytest.raises(DatasetError, match=r"info\.json is damaged or was changed.*remove SHA256SUMS after a change"):
        Dataset(root)
    (root / "SHA256SUMS").unlink()
    with pytest.raises(DatasetError, match=r"version v2\.1; this reads v3\.0; LeRobot converts it: python -m lerobot"):
        Dataset(root)


def test_the_layout_is_that_of_lerobot(tmp_path: Path) -> None:
    """Names and types that LeRobot's own reader looks for."""
    root = tmp_path / "set"
    record(root, range(3))
    info = json.loads((root / layout.INFO).read_text())
    assert info["codebase_version"] == "v3.0"
    assert (info["fps"], info["total_episodes"], info["total_tasks"]) == (10, 3, 2)
    assert info["splits"] == {"train": "0:3"}
    assert info["features"][FRONT]["dtype"] == "video"
    assert info["features"][FRONT]["info"]["video.fps"] == 10
    data = pq.read_schema(root / "data/chunk-000/file-000.parquet")
    assert FRONT not in data.names
    assert {name: str(data.field(name).type) for name in ("timestamp", "index", "task_index")} == {
        "timestamp": "float",
        "index": "int64",
        "task_index": "int64",
    }
    assert str(data.field(layout.STATE).type).startswith("fixed_size_list")
    episodes = pq.read_schema(root / "meta/episodes/chunk-000/file-001.parquet").names
    for name in (
        *("episode_index", "tasks", "length", "dataset_from_index", "dataset_to_index", "data/chunk_index"),
        *("data/file_index", "meta/episodes/file_index", f"videos/{FRONT}/from_timestamp"),
        *(f"videos/{FRONT}/to_timestamp", f"stats/{layout.ACTION}/mean", f"stats/{FRONT}/max"),
    ):
        assert name in episodes
    tasks = pq.read_table(root / layout.TASKS)
    assert tasks["task"].to_pylist() == ["task 0", "task 1"]
    pandas = json.loads(tasks.schema.metadata[b"pandas"])
    assert pandas["index_columns"] == ["task"]
    assert {column["field_name"] for column in pandas["columns"]} == set(tasks.column_names)


def of_pixels(pictures: Any) -> dict[str, Any]:
    """The statistics of pictures (T, H, W, 3), pixel by pixel."""
    pixels = pictures.reshape(-1, 3) / 255.0
    found = {name: getattr(pixels, name)(axis=0) for name in ("min", "max", "mean", "std")}
    return found | {name: np.quantile(pixels, at, axis=0) for name, at in QUANTILES.items()}


def test_statistics_of_parts_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(3)
    flat, values = Feature(dtype="float32", shape=(4,)), rng.normal(2.0, 3.0, size=(90, 4))
    merged = stats_of(flat, [sample(flat, part) for part in np.split(values, [10, 55])])
    assert merged["count"].tolist() == [90]
    for name, at in QUANTILES.items():
        np.testing.assert_array_equal(merged[name], np.quantile(values, at, axis=0))
    for name in ("min", "max", "mean", "std"):
        np.testing.assert_allclose(merged[name], getattr(values, name)(axis=0), rtol=1e-12)


def test_statistics_of_pictures_are_those_of_their_pixels() -> None:
    rng, feature = np.random.default_rng(3), FEATURES[FRONT]
    parts = [
        rng.integers(*levels, (length, SIZE, SIZE, 3), np.uint8) for levels, length in (((0, 40), 9), ((90, 256), 4))
    ]
    merged = stats_of(feature, [sample(feature, part) for part in parts])
    assert merged["count"].tolist() == [13]
    for name, wanted in of_pixels(np.concatenate(parts)).items():
        assert merged[name].shape == (3, 1, 1)
        np.testing.assert_allclose(merged[name].ravel(), wanted, rtol=1e-9, err_msg=name)


def test_statistics_of_depth_leave_out_where_nothing_came_back() -> None:
    feature = Feature(dtype="float32", shape=(16, 16))
    depth_m = np.full((3, 16, 16), np.inf, np.float32)
    assert np.isfinite(
        np.concatenate([each.ravel() for each in stats_of(feature, [sample(feature, depth_m)]).values()])
    ).all()
    depth_m[:, 0, 0] = 0.5, 1.0, 1.5
    stats = stats_of(feature, [sample(feature, part) for part in (depth_m[:1], depth_m[1:])])
    told = {name: stats[name].tolist() for name in ("min", "q50", "max", "count")}
    assert told == {"min": [[0.5]], "q50": [[1.0]], "max": [[1.5]], "count": [3]}


def test_statistics_of_a_dataset_are_exact_after_it_went_on(tmp_path: Path) -> None:
    root = tmp_path / "set"
    record(root, range(3))
    record(root, range(3, 5), resume=True)
    stats = Dataset(root).stats()
    for key in (layout.STATE, layout.ACTION):
        every = np.concatenate([frames(e, 4 + e)[key] for e in range(5)]).astype(np.float64)
        for name, at in QUANTILES.items():
            np.testing.assert_allclose(stats[key][name], np.quantile(every, at, axis=0), rtol=1e-12)
        np.testing.assert_allclose(stats[key]["std"], every.std(axis=0), rtol=1e-12)
    # At most ten frames of an episode are looked at, and these have fewer.
    for name, wanted in of_pixels(np.concatenate([frames(e, 4 + e)[FRONT] for e in range(5)])).items():
        np.testing.assert_allclose(stats[FRONT][name].ravel(), wanted, rtol=1e-9, err_msg=name)
    row = Dataset(root).row(4)
    np.testing.assert_allclose(
        row[f"stats/{layout.STATE}/q90"], np.quantile(frames(4, 8)[layout.STATE].astype(np.float64), 0.9, axis=0)
    )
    assert np.array(row[f"stats/{FRONT}/q90"]).shape == (3, 1, 1)


def test_a_dataset_that_was_made_with_something_else_does_not_go_on(tmp_path: Path) -> None:
    root = tmp_path / "set"
    record(root, range(2))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(
        DatasetError,
        match=r"split: paraphrase here, seen in the dataset; camera: front,wrist here, front in the dataset",
    ):
        writer(root, resume=True, made_with={"split": "paraphrase", "camera": ["front", "wrist"]})
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    (root / layout.OWN).unlink()
    (root / "SHA256SUMS").unlink()
    with pytest.raises(DatasetError, match=r"nothing in the dataset says what it was made with"):
        writer(root, resume=True)


def test_bits_that_flipped_on_the_disk_are_noticed(tmp_path: Path) -> None:
    root = tmp_path / "set"
    record(root, range(2))
    path = root / layout.DATA.format(chunk_index=0, file_index=0)
    wanted = Dataset(root).episode(1, pictures=False).frames
    whole, noticed = path.read_bytes(), 0
    for place in range(4, len(whole) - 8, 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            read = Dataset(root).episode(1, pictures=False).frames
        except DatasetError:
            noticed += 1
        else:
            assert all(np.array_equal(read[key], wanted[key]) for key in wanted), place
    assert noticed > 3


def everything(root: Path) -> tuple[Any, ...]:
    """All that can be read of a dataset."""
    dataset = Dataset(root)
    episodes = [
        (each.words, each.extra, {key: values.tolist() for key, values in each.frames.items()}) for each in dataset
    ]
    stats = {key: {name: each.tolist() for name, each in told.items()} for key, told in dataset.stats().items()}
    return dataset.info, stats, episodes


def spoil(path: Path, rng: random.Random) -> None:
    data, what = bytearray(path.read_bytes()), rng.choice(["flip", "flip", "flip", "cut", "grow", "away", "digit"])
    if what == "flip":
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif what == "cut":
        del data[rng.randrange(len(data)) :]
    elif what == "grow":
        data += rng.choice([b"\0", b"\n", b"{}", bytes(100)])
    elif what == "digit":
        digits = [at for at, byte in enumerate(data) if chr(byte).isdigit()]
        data[rng.choice(digits or [0])] = ord(rng.choice("0123456789"))
    if what == "away":
        path.unlink()
    else:
        path.write_bytes(bytes(data))


def test_five_hundred_changes_are_refused_in_a_line_or_read_the_same(tmp_path: Path) -> None:
    root, refused = tmp_path / "set", 0
    record(root, range(3))
    wanted, whole = everything(root), {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for seed in range(500):
        rng = random.Random(seed)
        digests = seed % 4 > 0
        if not digests:  # as a dataset of others: a change may go unnoticed, and nothing else may happen
            (root / "SHA256SUMS").unlink()
        spoil(rng.choice([path for path in sorted(whole) if digests or path.name != "SHA256SUMS"]), rng)
        line, found = "", None
        try:
            found = everything(root)
        except DatasetError as error:
            line = str(error)
            refused += 1
        assert line.isprintable() and len(line) < 1000, (seed, line)
        assert line or found == wanted or not digests or not (root / "SHA256SUMS").exists(), seed
        for path, data in whole.items():
            path.write_bytes(data)
    assert refused > 350


def test_the_digests_are_those_that_coreutils_check_and_grow_with_it(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for episodes in (range(2), range(2, 5)):
        record(root, episodes, resume=True)
        checked = subprocess.run(
            ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=root, capture_output=True, text=True
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        assert {line.partition(":")[0] for line in checked.stdout.splitlines()} == files - {"SHA256SUMS"}
