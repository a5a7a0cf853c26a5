# SPDX-License-Identifier: Apache-2.0
"""What launch files use: the emergency stop's file, and the check of arguments."""

import os
import stat
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from embodied.errors import EmbodiedError, UnknownNameError
from embodied.safety import Latch
from nodes import launch_support
from nodes.launch_support import existing_latch_files, latch_file, refuse_unknown


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path]:
    """$XDG_RUNTIME_DIR and the folder for temporary files."""
    run, temporary = tmp_path / "run", tmp_path / "tmp"
    run.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(launch_support, "_RUNS", tmp_path / "runs")
    return run, temporary


def test_a_stop_outlives_the_launch_in_a_private_folder(places: tuple[Path, Path]) -> None:
    path = Path(latch_file(""))
    assert Latch(path).read() == ""
    assert path.parent == places[0] / "embodied"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert Latch(path).stop() == ""
    assert Path(latch_file("")) == path
    assert Latch(path).read() == "emergency stop, latched before"


def test_what_was_spoilt_is_not_released(places: tuple[Path, Path]) -> None:
    path = Path(latch_file(""))
    path.write_text("")
    latch_file("")
    assert "says neither released nor stopped" in Latch(path).read()
    path.unlink()
    path.symlink_to(places[1] / "nowhere")
    latch_file("")
    assert "there is no" in Latch(path).read()


def test_every_graph_has_a_stop_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [latch_file(namespace) for namespace in ("", "left", "/left/arm", "left_arm")]
    assert latch_file("/left/") == paths[1]
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    paths.append(latch_file(""))
    assert len(set(paths)) == 5


def test_without_a_runtime_folder_it_is_a_private_one_among_the_temporary(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    path = Path(latch_file(""))
    assert path.is_relative_to(places[1] / f"embodied-{os.getuid()}")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_stop_is_found_from_a_session_with_another_environment(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert existing_latch_files("") == []
    with monkeypatch.context() as service:
        service.delenv("XDG_RUNTIME_DIR")
        path = Path(latch_file(""))
    assert existing_latch_files("") == [path] and path.is_relative_to(places[1])
    Latch(path).stop()
    assert latch_file("") == str(path) and Latch(path).read(), "a login shell does not release what a service stopped"
    Latch(path).release()
    own = places[0] / "embodied"
    own.mkdir(mode=0o700)
    Latch(own / path.name).stop()
    assert existing_latch_files("") == [own / path.name, path]
    assert latch_file("") == str(own / path.name), "of two that one counts which stops"
    own.chmod(0o777)
    assert latch_file("") == str(path), "what others may write says nothing"


def test_a_folder_that_others_may_write_to_is_not_used(places: tuple[Path, Path]) -> None:
    (places[0] / "embodied").mkdir()
    (places[0] / "embodied").chmod(0o777)
    assert Path(latch_file("")).is_relative_to(places[1])
    (places[1] / f"embodied-{os.getuid()}").rename(places[1] / "away")
    (places[1] / f"embodied-{os.getuid()}").symlink_to(places[1] / "away")
    with pytest.raises(EmbodiedError, match="is not a folder of yours alone"):
        latch_file("")


def test_a_typo_in_an_argument_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(argv=["arm:=ur5e", "polcy:=palme"])
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", "embodied", "sim.launch.py", *context.argv])
    with pytest.raises(UnknownNameError, match="Did you mean 'policy'"):
        refuse_unknown(context, ["arm", "policy"], "/somewhere/sim.launch.py")
    refuse_unknown(context, ["arm", "policy"], "/somewhere/real.launch.py")
