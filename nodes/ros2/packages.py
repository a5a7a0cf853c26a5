# SPDX-License-Identifier: Apache-2.0
"""Where a package keeps its files and its executables."""

import importlib.metadata
import os
import sys
import sysconfig
from pathlib import Path

import nodes
from embodied.errors import UnknownNameError

PACKAGE = "embodied"
CHECKOUT = Path(nodes.__file__).resolve().parent.parent
"""Folder that holds `nodes`: the source tree, or site-packages in a regular install."""


def prefixes() -> list[Path]:
    """Install prefixes that may hold a share folder, first match wins."""
    found = [Path(path) for path in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if path]
    return [*found, Path(sys.prefix)]


def package_names() -> list[str]:
    """Every package of the ament index, and this one."""
    index = "share/ament_index/resource_index/packages"
    return sorted({PACKAGE} | {path.name for prefix in prefixes() for path in (prefix / index).glob("*")})


def share_folder(package: str) -> Path:
    """The share folder of a package; a source tree stands for its own.

    Raises UnknownNameError that lists the packages.
    """
    if package == PACKAGE and (CHECKOUT / "launch" / "sim.launch.py").exists():
        return CHECKOUT
    for prefix in prefixes():
        if (prefix / "share" / package).is_dir():
            return prefix / "share" / package
    raise UnknownNameError("package", package, package_names())


def launch_file(package: str, name: str) -> Path:
    """The launch file `name` of a package. Raises UnknownNameError that lists the launch files."""
    share = share_folder(package)
    files = {path.name: path for path in (share / "launch").rglob("*.launch.py")}
    if name not in files:
        raise UnknownNameError(f"launch file of {package}", name, files)
    return files[name]


def executables(package: str) -> dict[str, list[str]]:
    """Executable name -> command that starts it.

    Executables are those of lib/<package>, the console scripts of the distribution of that name, and, in a
    source tree that is not installed, the node modules.
    """
    found: dict[str, list[str]] = {}
    if package == PACKAGE:
        modules = (CHECKOUT / "nodes").glob("*_node.py")
        found |= {path.stem: [sys.executable, "-m", f"nodes.{path.stem}"] for path in modules}
    try:
        scripts = importlib.metadata.distribution(package).entry_points.select(group="console_scripts")
    except importlib.metadata.PackageNotFoundError:
        scripts = importlib.metadata.EntryPoints()
    folder = Path(sysconfig.get_path("scripts"))
    found |= {
        script.name: [str(folder / script.name)] for script in scripts if (folder / script.name).exists()
    }
    for prefix in reversed(prefixes()):
        files = (prefix / "lib" / package).glob("*")
        found |= {path.name: [str(path)] for path in files if path.is_file() and os.access(path, os.X_OK)}
    return found


def executable(package: str, name: str) -> list[str]:
    """The command that starts an executable. Raises UnknownNameError that lists what there is."""
    found = executables(package)
    if not found:
        share_folder(package)  # says so if the package itself is unknown
    if name not in found:
        raise UnknownNameError(f"executable of {package}", name, found)
    return found[name]
