# SPDX-License-Identifier: Apache-2.0
"""Files are written whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embodied.errors import EmbodiedError
from embodied.files import replacing, write_json, write_text

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_written_is_read_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "note.txt"
    write_text(path, "gr\u00fcn \N{SNOWMAN}\n")
    assert path.read_bytes().decode("utf-8") == "gr\u00fcn \N{SNOWMAN}\n"
    write_json(path, {"b": [1, 2.5], "a": None})
    assert json.loads(path.read_text()) == {"b": [1, 2.5], "a": None}
    assert [each.name for each in path.parent.iterdir()] == ["note.txt"]


@pytest.mark.parametrize("old", [None, "the old one"])
def test_what_fails_on_the_way_leaves_what_was_there(old: str | None, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    if old is not None:
        path.write_text(old)

    def write_half() -> None:
        with replacing(path) as part:
            part.write_text("half of the new")
            assert not path.exists() or path.read_text() == old
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    for nonsense in (float("nan"), float("inf"), {1, 2}):
        with pytest.raises((ValueError, TypeError)):
            write_json(path, {"value": nonsense})
    assert [each.read_text() for each in tmp_path.iterdir()] == ([old] if old is not None else [])


def test_nothing_written_is_no_file(tmp_path: Path) -> None:
    refused = pytest.raises(EmbodiedError, match=r"cannot write .*note\.txt: No such file")
    with refused, replacing(tmp_path / "note.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_reader_never_sees_half_of_it_however_the_writer_dies(tmp_path: Path) -> None:
    """A process writes without end and is killed; what is read meanwhile and afterwards is whole."""
    path = tmp_path / "numbers.json"
    code = (
        "import itertools, sys\nfrom pathlib import Path\nfrom embodied.files import write_json\n"
        "for i in itertools.count():\n    write_json(Path(sys.argv[1]), {'all': [i] * 20_000})"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT)
    try:
        while not path.exists():
            assert writer.poll() is None
            time.sleep(0.01)  # it needs the core that we would wait on
        for _ in range(50):
            content = json.loads(path.read_text())["all"]
            assert len(content) == 20_000 and len(set(content)) == 1
        os.kill(writer.pid, signal.SIGKILL)
    finally:
        writer.kill()
        writer.wait()
    assert len(json.loads(path.read_text())["all"]) == 20_000
