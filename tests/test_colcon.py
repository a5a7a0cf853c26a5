# SPDX-License-Identifier: Apache-2.0
"""`colcon build`, plain and with --symlink-install, on a copy of the repository."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("embodied", "sim", "policies", "nodes")
NODES = ("sim_node", "agent_node", "gate_node")


@dataclass(frozen=True)
class Workspace:
    source: Path
    prefix: Path  # install/embodied
    setup: Path  # the file that a user sources


def copy_repository(target: Path) -> None:
    """Copy what git knows of; weights become empty files, for they are heavy and nothing here reads them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if not source.is_file():
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".safetensors":
            (target / name).touch()
        else:
            shutil.copy(source, target / name)


@pytest.fixture(scope="module", params=["copies", "symlinks"])
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    base = tmp_path_factory.mktemp(request.param)
    source = base / "src" / "embodied"
    copy_repository(source)
    environment = {**os.environ, "COLCON_HOME": str(base / "colcon"), "COLCON_LOG_PATH": str(base / "log")}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-m", "colcon", "build", "--base-paths", "src"]
    if request.param == "symlinks":
        command.append("--symlink-install")
    done = subprocess.run(command, cwd=base, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return Workspace(source, base / "install" / "embodied", base / "install" / "local_setup.bash")


def in_workspace(workspace: Workspace, command: str) -> str:
    done = subprocess.run(
        ["bash", "-c", f". {workspace.setup} && {command}"],
        cwd=workspace.prefix,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_share_holds_what_ros_looks_for(workspace: Workspace) -> None:
    share = workspace.prefix / "share"
    assert (share / "embodied" / "package.xml").read_text() == (ROOT / "package.xml").read_text()
    assert (share / "ament_index" / "resource_index" / "packages" / "embodied").is_file()
    installed = {path.name for path in (share / "embodied" / "launch").iterdir()}
    assert "sim.launch.py" in installed
    assert installed == {path.name for path in (ROOT / "launch").glob("*.launch.py")}


def test_executables_are_where_ros2_run_looks(workspace: Workspace) -> None:
    for name in ("embodied", *NODES):
        assert os.access(workspace.prefix / "lib" / "embodied" / name, os.X_OK), name


def test_the_rooms_are_imported_from_the_workspace(workspace: Workspace) -> None:
    code = f"import {', '.join(ROOMS)}; print(*(room.__file__ for room in ({', '.join(ROOMS)})), sep='\\n')"
    for line in in_workspace(workspace, f'{sys.executable} -c "{code}"').splitlines():
        assert Path(line).resolve().is_relative_to(workspace.prefix.parents[1])


def test_every_file_of_the_rooms_is_installed(workspace: Workspace) -> None:
    found = in_workspace(workspace, f"{sys.executable} -c 'import embodied; print(embodied.__path__[0])'")
    site = Path(found.strip()).parent
    wanted = [path for room in ROOMS for path in (workspace.source / room).rglob("*") if path.is_file()]
    relative = [path.relative_to(workspace.source) for path in wanted if "__pycache__" not in path.parts]
    assert [str(path) for path in relative if not (site / path).exists()] == []


def test_the_command_line_starts(workspace: Workspace) -> None:
    assert "usage: embodied" in in_workspace(workspace, f"{workspace.prefix}/lib/embodied/embodied --help")


def test_the_parts_of_every_room_are_found(workspace: Workspace) -> None:
    code = (
        "from embodied.arm import ARMS, arm_model; from embodied.policy import POLICIES; "
        "from embodied.cli import COMMANDS; from embodied.environments import task_names; "
        "print(*sorted(ARMS), *sorted(POLICIES), *sorted(COMMANDS), *task_names()); "
        "print(arm_model('ur5e').urdf)"
    )
    names, urdf = in_workspace(workspace, f'{sys.executable} -c "{code}"').strip().splitlines()[-2:]
    assert {"panda", "ur5e", "palme", "oracle", "eval", "say", "tasks", "put_in_bowl"} <= set(names.split())
    assert Path(urdf).resolve().is_relative_to(workspace.prefix.parents[1])


def test_every_group_of_entry_points_is_the_workspaces_own(workspace: Workspace) -> None:
    """Those that its metadata hold, and not those of another installation on this machine."""
    code = (
        "import json; from importlib.metadata import distribution; here = distribution('embodied'); "
        "print(json.dumps([str(here.locate_file('')), sorted({e.group for e in here.entry_points})]))"
    )
    place, groups = json.loads(in_workspace(workspace, f'{sys.executable} -c "{code}"').splitlines()[-1])
    assert Path(place).resolve().is_relative_to(workspace.prefix.parents[1])
    rooms = ("collectors", "commands", "environments", "policies", "runners")
    assert groups == ["console_scripts", *(f"embodied.{room}" for room in rooms)]


def test_an_installed_oracle_acts_with_an_installed_arm(workspace: Workspace, tmp_path: Path) -> None:
    for arm in ("panda", "ur5e"):
        out = tmp_path / f"{arm}.json"
        arguments = f"policy=oracle task=touch split=seen episodes=1 workers=1 arm={arm} out={out}"
        in_workspace(workspace, f"{workspace.prefix}/lib/embodied/embodied eval {arguments}")
        assert json.loads(out.read_text())["results"][0]["successes"] == 1
