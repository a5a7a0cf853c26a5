# SPDX-License-Identifier: Apache-2.0
"""What the launch files need of this package. No ROS is imported: ROS's `launch` runs without rclpy."""

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from embodied.errors import EmbodiedError, UnknownNameError

USER_ERROR = 2
"""Exit code of a node that cannot run as configured: starting it again would not help, the launch ends."""
_RUNS = Path("/run/user")
"""Where the system keeps a folder for each user who logged in."""


def refuse_unknown(context: Any, valid: Iterable[str], launch_file: str) -> None:
    """A typo in an argument's name is an error, not a default: ROS's `launch` accepts any name.

    Raises UnknownNameError, which lists the `valid` names, for any other `name:=value` of the launch. Nothing
    is checked where another file than `launch_file` was launched: then the arguments are that file's.
    """
    name_of_file = Path(launch_file).name
    if not any(Path(argument).name == name_of_file for argument in sys.argv):
        return
    names = set(valid)
    for argument in context.argv:
        name, separator, _ = argument.partition(":=")
        if separator and name not in names:
            raise UnknownNameError(f"argument of {name_of_file}", name, names)


def latch_file(namespace: str) -> str:
    """The file that keeps the emergency stop of the graph in `namespace`; a new one says released.

    A stop outlives the gate and the launch, also one of another session: only `resume` lifts it. Raises EmbodiedError.
    """
    from embodied.safety.latch import Latch

    if known := existing_latch_files(namespace):
        return str(next((path for path in known if Latch(path).read()), known[0]))
    path = _folder() / _latch_name(namespace)
    if complaint := Latch(path).release():
        raise EmbodiedError(complaint)
    return str(path)


def existing_latch_files(namespace: str) -> list[Path]:
    """Where launches of this user have made that file; none where there was no launch.

    A service has no XDG_RUNTIME_DIR, and the terminal beside it has one: each finds what the other has made.
    """
    found = list[Path]()
    for place in _places():
        with contextlib.suppress(OSError):
            path = place / _latch_name(namespace)
            if _private(place) and os.path.lexists(path):
                found.append(path)
    return found


def _latch_name(namespace: str) -> str:
    names = [os.environ.get("ROS_DOMAIN_ID") or "0", *namespace.strip("/").split("/")]
    return ".".join(["emergency_stop", *filter(None, names)])


def _folder() -> Path:
    """The user's folder that nobody else may write to, made if there is none."""
    reason = ""
    for place in _places():
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            return _private(place)
        except OSError as error:
            reason = str(error)
    raise EmbodiedError(f"there is no place to keep the emergency stop in: {reason}")


def _places() -> list[Path]:
    """Where that folder may be, the best first."""
    # Programs that tidy temporary files leave the first two alone; they exist only for people who logged in.
    runs = (os.environ.get("XDG_RUNTIME_DIR"), _RUNS / str(os.getuid()))
    places = [Path(run) / "embodied" for run in runs if run]
    return list(dict.fromkeys([*places, Path(tempfile.gettempdir()) / f"embodied-{os.getuid()}"]))


def _private(folder: Path) -> Path:
    """`folder`. Raises OSError where others may write to it, and where there is none."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{folder} is not a folder of yours alone")
    return folder
