# SPDX-License-Identifier: Apache-2.0
"""Say what is installed, what is missing, what to type."""

import importlib
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

from embodied.config import option, parse
from embodied.environments import make_environment
from embodied.errors import CheckpointError, EmbodiedError
from embodied.files import parse_json, read_text
from embodied.packages import checked_file, remedy
from embodied.report import console
from embodied.versions import PACKAGES, cores, installed

REQUIRED_PACKAGES = (*PACKAGES, "omegaconf", "pillow", "rich")
EXTRA_PACKAGES = {
    "pyarrow": "embodied collect",
    "av": "embodied collect",
    "matplotlib": "the figure of embodied eval",
    "tensorboard": "the curves of embodied train",
}
"""What is not needed by everything -> what needs it."""
INSTALL = "python -m pip install -c constraints.txt -e '.[all]'"
_MOST_CONFIG_BYTES = 2**24
SIMULATOR_PYTHON = ((3, 10), (3, 11))


class Check(NamedTuple):
    """One line of the report. `state` is ok, missing (something needs it) or absent (an extra)."""

    what: str
    state: str
    detail: str
    remedy: str = ""


@dataclass
class DoctorOptions:
    """Say what is installed, what is missing and what to type; exit code 1 when something is missing."""

    simulate: bool = option(True, "also build a world and take one picture")


def main(arguments: Sequence[str]) -> int:
    """Print the report; 0 when nothing is missing."""
    options = parse(DoctorOptions, arguments, command="embodied doctor")
    from rich.table import Table

    checks = [*_machine(), *_packages(), _plugs(), *_checkpoint(), *_ros()]
    if options.simulate:
        checks.append(_simulator())
    table = Table("", "what", "found", box=None)
    marks = {"ok": "[green]ok[/]", "missing": "[red]MISSING[/]", "absent": "[yellow]absent[/]"}
    for check in checks:
        table.add_row(marks[check.state], check.what, check.detail)
    tell = console().print
    tell(table)
    for what in dict.fromkeys(check.remedy for check in checks if check.remedy):
        tell(f"-> {what}", markup=False)
    missing = [check.what for check in checks if check.state == "missing"]
    tell(f"missing: {', '.join(missing)}" if missing else "nothing is missing")
    return 1 if missing else 0


def _machine() -> Iterator[Check]:
    python = f"{platform.python_version()} at {sys.executable}"
    has_wheels = sys.version_info[:2] in SIMULATOR_PYTHON
    remedy = "" if has_wheels else "PyBullet's wheels are for Python 3.10 and 3.11: use 3.11"
    yield Check("python", "ok" if has_wheels else "absent", python, remedy)
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    yield Check("machine", "ok", f"{platform.machine()}, {cores()} cores, {memory_gb:.0f} GB of memory")


def _packages() -> Iterator[Check]:
    for package in (*REQUIRED_PACKAGES, *EXTRA_PACKAGES):
        if version := installed(package):
            yield Check(package, "ok", version)
        elif need := EXTRA_PACKAGES.get(package):
            yield Check(package, "absent", f"no: {need} needs it", f"python -m pip install {package}")
        else:
            yield Check(package, "missing", "no", INSTALL)


def _plugs() -> Check:
    """Whether the metadata of the installation knows every command that is there now."""
    here = {path.stem for path in Path(__file__).parent.glob("*.py")} - {"__init__"}
    known = {entry.name for entry in entry_points(group="embodied.commands")}
    if here <= known:
        return Check("entry points", "ok", f"{len(known)} commands")
    remedy = "python -m pip install --no-deps -e ."
    return Check("entry points", "missing", f"stale: {', '.join(sorted(here - known))} is not known", remedy)


def _checkpoint() -> Iterator[Check]:
    """The weights that stand beside an installed policy."""
    specs = [importlib.util.find_spec(entry.module) for entry in entry_points(group="embodied.policies")]
    folders = {Path(spec.origin).parent for spec in specs if spec is not None and spec.origin is not None}
    found = [file for folder in sorted(folders) for file in folder.rglob("*.safetensors")]
    if found:
        size_mb = sum(file.stat().st_size for file in found) / 1e6
        yield Check("checkpoint", "ok", f"{found[0].parent} ({size_mb:.0f} MB)")
        for folder in sorted({file.parent for file in found}):
            yield from _base(folder / "config.json")
    else:
        remedy = "fetch them again (git status names what is missing), or train: embodied train"
        yield Check("checkpoint", "missing", "no weights beside the policies", remedy)


def _base(config: Path) -> Iterator[Check]:
    """The file of the language model that the checkpoint of `config` is built on, where it is built on one."""
    try:
        told = parse_json(read_text(config, "JSON", most_bytes=_MOST_CONFIG_BYTES)) if config.exists() else {}
        base = told.get("base")
        if base is None:
            return
        source, file, sha256 = str(base["source"]), str(base["file"]), str(base["sha256"])
    except (EmbodiedError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        again = "fetch the checkpoint again (git status names what is changed)"
        yield Check("base model", "missing", f"{config} does not tell: {error}", again)
        return
    try:
        path, _ = checked_file(source, file, sha256)
    except CheckpointError as error:
        yield Check("base model", "missing", str(error), remedy(source))
    else:
        yield Check("base model", "ok", f"{path} ({path.stat().st_size / 1e6:.0f} MB)")


def _ros() -> Iterator[Check]:
    distribution = os.environ.get("ROS_DISTRO")
    if importlib.util.find_spec("rclpy") is None:
        remedy = "source /opt/ros/<distribution>/setup.bash, or " + INSTALL
        yield Check("rclpy", "absent", "no: the ROS graph and `embodied say` need it", remedy)
    else:
        origin = f"ROS 2 {distribution}" if distribution else f"PyPI {installed('ros-rclpy') or 'unknown'}"
        yield Check("rclpy", "ok", origin)
    beside = Path(sys.executable).with_name("ros2")  # an environment that is not activated
    command = shutil.which("ros2") or (str(beside) if beside.exists() else None)
    if command is None:
        yield Check("ros2", "absent", "no such command", INSTALL)
    else:
        kind = f"ROS 2 {distribution}" if distribution else "the stand-in of this project"
        yield Check("ros2", "ok", f"{command} ({kind})")
    if distribution is None and importlib.util.find_spec("rclpy") is not None:
        fast_rtps, fast_dds = map(os.environ.get, ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"))
        yield Check("Fast DDS profile", "ok", fast_rtps or fast_dds or "set by the launch file")


def _simulator() -> Check:
    try:
        with closing(make_environment("put_in_bowl")) as env:
            observation, _ = env.reset(seed=0)
    except (ImportError, EmbodiedError) as error:
        return Check("simulator", "missing", f"does not start: {error}", INSTALL)
    return Check("simulator", "ok", f"runs; front picture {observation['front'].shape}")
