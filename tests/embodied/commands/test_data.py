# SPDX-License-Identifier: Apache-2.0
"""Datasets are shown as they are, and a fault in any file is found and named."""

from __future__ import annotations

import json
import re
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

from embodied.commands.data import main
from embodied.config import ConfigError
from embodied.data import layout
from embodied.data.layout import DatasetError, Feature
from embodied.data.reader import Dataset
from embodied.data.writer import DatasetWriter
from embodied.errors import UnknownNameError

FRONT, DEPTH = "observation.images.front", "observation.depth.front"
SIZE = 48
FEATURES = {
    FRONT: Feature(dtype="video", shape=(SIZE, SIZE, 3), names=("height", "width", "channels")),
    DEPTH: Feature(dtype="float32", shape=(SIZE, SIZE)),
    layout.STATE: Feature(dtype="float32", shape=(3,), names=("shoulder", "elbow", "wrist")),
    layout.ACTION: Feature(dtype="float32", shape=(2,)),
}
TABLE = layout.DATA.format(chunk_index=0, file_index=0)
ROWS = layout.EPISODES.format(chunk_index=0, file_index=0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    settings: dict[str, Any] = {"fps": 10, "robot_type": "panda", "features": FEATURES, "made_with": {"split": "seen"}}
    with DatasetWriter(tmp_path / "set", **settings) as dataset:
        for episode in range(2):
            depth_m = rng.uniform(0.5, 1.0, (5, SIZE, SIZE)).astype(np.float32)
            depth_m[:, 0, 0] = np.inf  # where nothing came back
            frames = {
                FRONT: np.full((5, SIZE, SIZE, 3), 60 + 90 * episode, np.uint8),
                DEPTH: depth_m,
                layout.STATE: rng.normal(size=(5, 3)).astype(np.float32),
                layout.ACTION: rng.normal(size=(5, 2)).astype(np.float32),
            }
            dataset.add_episode(f"do thing {episode}", frames, extra={"plan": "touch red block"})
    (tmp_path / "set" / "SHA256SUMS").unlink()  # as of others: what is wrong in it is told, not that it changed
    return tmp_path / "set"


def test_show_tells_words_features_and_statistics_and_draws(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "episode.png"
    assert main(["show", f"data={root}", "episode=1", f"out={out}"]) == 0
    said = capsys.readouterr().out
    for part in ("2 episodes, 10 frames at 10 Hz, robot panda", "split=seen", "do thing 1", "elbow", f"drew {out}"):
        assert part in said
    with Image.open(out) as picture:
        colours = picture.convert("RGB").getcolors(maxcolors=10**6)
    # Episode 1 has pictures of one grey, which are in the film strip.
    assert (
        colours is not None and max(count for count, colour in colours if max(abs(c - 150) for c in colour) < 4) > 5000
    )
    with pytest.raises(DatasetError, match="no episode 7; it has 0 to 1"):
        main(["show", f"data={root}", "episode=7", f"out={out}"])
    with pytest.raises(ConfigError, match=r"must end in \.png"):
        main(["show", f"data={root}", "out=episode.gif"])


def test_a_whole_dataset_is_said_to_be_whole(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"data={root}"]) == 0
    assert capsys.readouterr().out == "whole: 2 episodes\n"


def change_table(path: Path, column: str, spoil: Callable[[list[Any]], Any]) -> None:
    table = pq.read_table(path)
    values = table[column].to_pylist()
    spoil(values)
    place = table.column_names.index(column)
    pq.write_table(table.set_column(place, column, pa.array(values, table.schema.field(column).type)), path)


def change_json(path: Path, spoil: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))


def video(root: Path) -> Path:
    return root / layout.VIDEO.format(video_key=FRONT, chunk_index=0, file_index=0)


def longer_video(root: Path) -> None:
    from embodied.data.video import VideoWriter, choose_encoder

    writer = VideoWriter(video(root), fps=10, encoder=choose_encoder())
    writer.write(np.full((13, SIZE, SIZE, 3), 105, np.uint8))
    writer.close()


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no dataset": (lambda root: (root / layout.INFO).unlink(), "no dataset is there"),
    "fewer episodes": (
        lambda root: change_table(root / ROWS, "episode_index", lambda v: v.__setitem__(1, 0)),
        "says 2 episodes and lists 1",
    ),
    "frames": (
        lambda root: change_json(root / layout.INFO, lambda c: c.update(total_frames=11)),
        "says 11 frames, and 10",
    ),
    "length": (
        lambda root: change_table(root / ROWS, "length", lambda v: v.__setitem__(0, 4)),
        "says 4 frames, and the table has 5",
    ),
    "bounds": (
        lambda root: change_table(root / ROWS, "dataset_from_index", lambda v: v.__setitem__(1, 6)),
        "episode 1: meta/episodes says frames 6 to 10, and it is 5 to 10",
    ),
    "words": (
        lambda root: change_table(root / ROWS, "tasks", lambda v: v.__setitem__(0, ["sing"])),
        "episode 0: meta/episodes says ['sing'], and the frames were told ['do thing 0']",
    ),
    "index": (
        lambda root: change_table(root / TABLE, "index", lambda v: v.__setitem__(7, 3)),
        "episode 1: index does not count from 5 to 9",
    ),
    "time": (
        lambda root: change_table(root / TABLE, "timestamp", lambda v: v.__setitem__(2, 0.25)),
        "episode 0: timestamp is up to 0.0500 s off the rate of 10 Hz",
    ),
    "not a number": (
        lambda root: change_table(root / TABLE, layout.ACTION, lambda v: v.__setitem__(6, [float("nan"), 0.0])),
        "episode 1: action holds a number that is not finite",
    ),
    "another number": (
        lambda root: change_table(root / TABLE, layout.STATE, lambda v: v.__setitem__(6, [99.0, 0.0, 0.0])),
        "meta/stats.json says a max of observation.state that is",
    ),
    "quantile": (
        lambda root: change_json(root / layout.STATS, lambda c: c[layout.STATE].update(q10=[9.0, 9.0, 9.0])),
        "meta/stats.json says a q10 of observation.state that is",
    ),
    "no statistics": (
        lambda root: change_json(root / layout.STATS, lambda c: c.pop(layout.ACTION)),
        "meta/stats.json lacks mean of action",
    ),
    "other pictures": (longer_video, "has 13 pictures, and its episodes have 10 frames"),
    "a short video": (lambda root: video(root).write_bytes(video(root).read_bytes()[:300]), "has no video in it"),
    "no video": (lambda root: video(root).unlink(), "episode 1: cannot read"),
    "a damaged table": (lambda root: (root / TABLE).write_bytes(b"PAR1"), "cannot read"),
    "a row twice": (
        lambda root: pq.write_table(pa.concat_tables([pq.read_table(root / ROWS)] * 2), root / ROWS),
        "has 4 rows for 2 episodes",
    ),
    "too few names": (
        lambda root: change_json(root / layout.INFO, lambda c: c["features"][layout.STATE].update(names=["a", "b"])),
        "meta/info.json gives observation.state 2 names, and its shape [3] needs 3",
    ),
    "no plan": (
        lambda root: change_table(root / ROWS, f"{layout.EXTRA}plan", lambda v: v.__setitem__(1, "sing a song")),
        "episode 1: embodied.plan is not a plan: 'sing a song'",
    ),
    "another size": (
        lambda root: change_json(root / layout.INFO, lambda c: c["features"][FRONT].update(shape=[32, 32, 3])),
        f"{FRONT} has pictures of [48, 48, 3], and meta/info.json says [32, 32, 3]",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_found_and_named(root: Path, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, line = FAULTS[fault]
    spoil(root)
    assert main(["check", f"data={root}"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert any(line in each for each in said), said
    assert not any(each.startswith("whole") for each in said)


def column(name: str, value: Any, kind: pa.DataType | None = None) -> Callable[[Path], None]:
    """Puts `value` into the first row of meta/episodes."""

    def spoil(root: Path) -> None:
        table = pq.read_table(root / ROWS)
        values = [value, *table[name].to_pylist()[1:]]
        place = table.column_names.index(name)
        pq.write_table(
            table.set_column(place, name, pa.array(values, kind or table.schema.field(name).type)), root / ROWS
        )

    return spoil


def info(**changes: Any) -> Callable[[Path], None]:
    return lambda root: change_json(root / layout.INFO, lambda content: content.update(changes))


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "null length": (column("length", None), "episode 0 has length None"),
    "no length": (column("length", 0), "episode 0 has length 0, which must be a whole number from 1 on"),
    "length too small": (column("length", 3), "meta/episodes says 3 frames, and the table has 5"),
    "null chunk": (column("data/chunk_index", None), "episode 0 has data/chunk_index None"),
    "half a chunk": (column("data/chunk_index", 0.5, pa.float64()), "episode 0 has data/chunk_index 0.5"),
    "null file": (column(f"videos/{FRONT}/file_index", None), f"episode 0 has videos/{FRONT}/file_index None"),
    "NaN start": (column(f"videos/{FRONT}/from_timestamp", float("nan")), "from_timestamp nan, which must be seconds"),
    "null start": (column(f"videos/{FRONT}/from_timestamp", None), "from_timestamp None, which must be seconds"),
    "far start": (column(f"videos/{FRONT}/from_timestamp", 1e300), "cannot read"),
    "null words": (column("tasks", None), "episode 0 has tasks None, which must be a list of words"),
    "no words": (
        lambda root: pq.write_table(pq.read_table(root / ROWS).drop_columns(["tasks"]), root / ROWS),
        "episode 0 has tasks None",
    ),
    "open brace": (info(data_path="data/{chunk_index"), "data_path 'data/{chunk_index' is no pattern such as data/"),
    "other key": (info(data_path="data/{chunk}.parquet"), "is no pattern such as data/"),
    "other format": (info(data_path="{chunk_index:s}/{file_index}"), "is no pattern such as data/"),
    "no name": (info(video_path="{}/{0}.mp4"), "video_path '{}/{0}.mp4' is no pattern such as videos/"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_broken_is_a_line_to_whoever_reads_it(
    root: Path, tmp_path: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    spoil, line = BROKEN[fault]
    spoil(root)
    for read in (lambda: Dataset(root).episode(0), lambda: main(["show", f"data={root}", f"out={tmp_path / 'x.png'}"])):
        with pytest.raises(DatasetError, match=re.escape(line)) as caught:
            read()
        assert "\n" not in str(caught.value)
    capsys.readouterr()
    assert main(["check", f"data={root}"]) == 1
    assert line in capsys.readouterr().out


def test_wrong_words_are_answered_with_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'check'"):
        main(["chek", "data=x"])
    for arguments in ([], ["data=x"]):
        with pytest.raises(ConfigError, match="needs show or check first"):
            main(arguments)
    with pytest.raises(ConfigError, match="embodied data check needs data="):
        main(["check"])
    assert main(["--help"]) == 0
    assert "episode=0" in capsys.readouterr().out
