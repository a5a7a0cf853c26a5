# SPDX-License-Identifier: Apache-2.0
"""What launch files use: the emergency stop's file, and the check of arguments."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from embodied.errors import EmbodiedError, UnknownNameError
from embodied.safety import Latch
from nodes.launch_support import refuse_unknown, released_latch


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path]:
    """$XDG_RUNTIME_DIR and the folder for temporary files."""
    run, temporary = tmp_path / "run", tmp_path / "tmp"
    run.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return run, temporary


def test_every_launch_has_a_released_stop_of_its_own_in_a_private_folder(places: tuple[Path, Path]) -> None:
    first, second = Path(released_latch()), Path(released_latch())
    assert first != second
    for path in (first, second):
        assert Latch(path).read() == ""
        assert path.is_relative_to(places[0] / "embodied")
        for folder in (path.parent, path.parent.parent):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_without_a_runtime_folder_it_is_a_private_one_among_the_temporary(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    path = Path(released_latch())
    assert path.is_relative_to(places[1] / f"embodied-{os.getuid()}")
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


def test_a_folder_that_others_may_write_to_is_not_used(places: tuple[Path, Path]) -> None:
    (places[0] / "embodied").mkdir()
    (places[0] / "embodied").chmod(0o777)
    assert Path(released_latch()).is_relative_to(places[1])
    (places[1] / f"embodied-{os.getuid()}").rename(places[1] / "away")
    (places[1] / f"embodied-{os.getuid()}").symlink_to(places[1] / "away")
    with pytest.raises(EmbodiedError, match="is not a folder of yours alone"):
        released_latch()


def test_it_goes_with_the_launch(places: tuple[Path, Path]) -> None:
    code = "from nodes.launch_support import released_latch; print(released_latch())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    path = Path(done.stdout.strip())
    assert path.is_relative_to(places[0])
    assert not path.parent.exists()


def test_a_typo_in_an_argument_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(argv=["arm:=ur5e", "polcy:=palme"])
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", "embodied", "sim.launch.py", *context.argv])
    with pytest.raises(UnknownNameError, match="Did you mean 'policy'"):
        refuse_unknown(context, ["arm", "policy"], "/somewhere/sim.launch.py")
    refuse_unknown(context, ["arm", "policy"], "/somewhere/real.launch.py")
