# SPDX-License-Identifier: Apache-2.0
"""Where a package keeps its launch files and its executables, and `ros2 run`."""

import argparse
import importlib.metadata
import os
import signal
import sys
import sysconfig
from pathlib import Path

import nodes
from embodied.errors import EmbodiedError, UnknownNameError

PACKAGE = "embodied"
CHECKOUT = Path(nodes.__file__).resolve().parent.parent
"""Folder that holds `nodes`: the source tree, or site-packages in a regular install."""


def prefixes() -> list[Path]:
    """Install prefixes that may hold a share folder, first match wins."""
    found = [Path(path) for path in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if path]
    return [*found, Path(sys.prefix)]


def _share_folder(package: str) -> Path:
    """The share folder of a package; a source tree stands for its own."""
    if package == PACKAGE and (CHECKOUT / "launch" / "sim.launch.py").exists():
        return CHECKOUT
    for prefix in prefixes():
        if (prefix / "share" / package).is_dir():
            return prefix / "share" / package
    index = "share/ament_index/resource_index/packages"
    found = {path.name for prefix in prefixes() for path in (prefix / index).glob("*")}
    raise UnknownNameError("package", package, {PACKAGE, *found})


def launch_file(package: str, name: str) -> Path:
    """The launch file `name` of a package. Raises UnknownNameError that lists the launch files."""
    files = {path.name: path for path in (_share_folder(package) / "launch").rglob("*.launch.py")}
    if name not in files:
        raise UnknownNameError(f"launch file of {package}", name, files)
    return files[name]


def executable(package: str, name: str) -> list[str]:
    """The command that starts an executable. Raises UnknownNameError that lists what there is.

    Executables are those of lib/<package>, the console scripts of the distribution of that name, and, in a
    source tree that is not installed, the node modules.
    """
    found: dict[str, list[str]] = {}
    if package == PACKAGE:
        modules = [*(CHECKOUT / "nodes").glob("*_node.py"), CHECKOUT / "nodes" / "supervise.py"]
        found |= {path.stem: [sys.executable, "-m", "nodes.process", f"nodes.{path.stem}"] for path in modules}
    try:
        scripts = importlib.metadata.distribution(package).entry_points.select(group="console_scripts")
    except importlib.metadata.PackageNotFoundError:
        scripts = importlib.metadata.EntryPoints()
    folder = Path(sysconfig.get_path("scripts"))
    found |= {script.name: [str(folder / script.name)] for script in scripts if (folder / script.name).exists()}
    for prefix in reversed(prefixes()):
        files = (prefix / "lib" / package).glob("*")
        found |= {path.name: [str(path)] for path in files if path.is_file() and os.access(path, os.X_OK)}
    if not found:
        _share_folder(package)  # says so if the package itself is unknown
    if name not in found:
        raise UnknownNameError(f"executable of {package}", name, found)
    return found[name]


def run(options: argparse.Namespace) -> int:
    """Become the executable: signals and exit code are its own, and it cannot be left behind."""
    command = [*executable(options.package_name, options.executable_name), *options.argv]
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and the executable would inherit that
    try:
        os.execv(command[0], command)
    except OSError as error:
        raise EmbodiedError(f"cannot run {command[0]}: {error.strerror}") from error
