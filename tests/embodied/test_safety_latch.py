# SPDX-License-Identifier: Apache-2.0
"""An emergency stop that was told is never forgotten, whatever becomes of its file."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from embodied.safety import Latch


@pytest.fixture
def latch(tmp_path: Path) -> Latch:
    """A latch in a folder of its own that says released."""
    latch = Latch(tmp_path / "run" / "emergency_stop")
    assert latch.release() == ""
    return latch


def at(latch: Latch) -> Path:
    assert latch.path is not None
    return latch.path


def test_the_file_holds_the_last_word(latch: Latch) -> None:
    assert latch.read() == ""
    assert at(latch).read_text() == "released\n"
    assert latch.stop() == ""
    assert at(latch).read_text() == "stopped\n"
    assert latch.read() == "emergency stop, latched before"
    assert latch.release() == ""
    assert latch.read() == ""
    assert [path.name for path in at(latch).parent.iterdir()] == ["emergency_stop"]


def test_without_a_file_nothing_is_kept() -> None:
    for path in (None, ""):
        latch = Latch(path)
        assert (latch.stop(), latch.read(), latch.release()) == ("", "", "")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "there is no "),
        (lambda path: shutil.rmtree(path.parent), "there is no "),
        (lambda path: path.write_bytes(b""), "says neither"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00released"), "says neither"),
        (lambda path: path.write_text("released, I think"), "says neither"),
        (lambda path: path.write_text("released\n" + "x" * 100_000), "says neither"),
        (lambda path: (path.unlink(), path.mkdir()), "is no file"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "is no file"),
        (lambda path: (path.unlink(), path.symlink_to(path)), "cannot be read"),
    ],
)
def test_all_but_the_word_released_means_stopped(latch: Latch, spoil: Callable[[Path], object], words: str) -> None:
    spoil(at(latch))
    assert words in latch.read()


def test_a_stop_writes_a_folder_anew_that_is_gone(latch: Latch) -> None:
    shutil.rmtree(at(latch).parent)
    assert latch.stop() == ""
    assert at(latch).read_text() == "stopped\n"


def test_a_directory_in_its_place_is_said_and_means_stopped(latch: Latch) -> None:
    at(latch).unlink()
    at(latch).mkdir()
    assert "could not be written (Is a directory); a gate that is started anew stays stopped" in latch.stop()
    assert "could not be written" in (complaint := latch.release())
    assert "a gate that is started anew will be stopped" in complaint
    assert latch.read()


@pytest.mark.parametrize("call", ["mkdir", "fsync", "replace"])
def test_a_full_disk_keeps_no_stop_from_being_remembered(
    latch: Latch, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    spoil(monkeypatch, call)
    assert "No space left on device" in (complaint := latch.stop())
    assert "stays stopped all the same" in complaint
    assert latch.read()


def test_where_nothing_can_be_changed_the_danger_is_said(latch: Latch, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, "replace")
    for owner, name in ((Path, "unlink"), (os, "truncate")):
        monkeypatch.setattr(owner, name, refuse)
    assert "WOULD NOT BE STOPPED" in latch.stop()
    assert latch.read() == ""


def test_a_release_that_cannot_be_written_is_said(latch: Latch, monkeypatch: pytest.MonkeyPatch) -> None:
    assert latch.stop() == ""
    spoil(monkeypatch, "replace")
    assert "a gate that is started anew will be stopped" in latch.release()
    assert latch.read() == "emergency stop, latched before"


def refuse(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def spoil(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Let one step of writing a file fail as it does on a full disk."""
    monkeypatch.setattr(os if call == "fsync" else Path, call, refuse)
