# SPDX-License-Identifier: Apache-2.0
"""What the launch files need of this package. No ROS is imported: ROS's `launch` runs without rclpy."""

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

    A stop outlives the gate and the launch: only `resume` lifts it. Raises EmbodiedError.
    """
    from embodied.safety.latch import Latch

    path = _latch_path(namespace)
    if not os.path.lexists(path) and (complaint := Latch(path).release()):
        raise EmbodiedError(complaint)
    return str(path)


def existing_latch_file(namespace: str) -> Path | None:
    """The same file for those who are not the launch; None where no launch has made one."""
    try:
        path = _latch_path(namespace)
    except EmbodiedError:
        return None
    return path if os.path.lexists(path) else None


def _latch_path(namespace: str) -> Path:
    names = [os.environ.get("ROS_DOMAIN_ID") or "0", *namespace.strip("/").split("/")]
    return _folder() / ".".join(["emergency_stop", *filter(None, names)])


def _folder() -> Path:
    """The user's folder that nobody else may write to."""
    run = os.environ.get("XDG_RUNTIME_DIR", "")
    # Programs that tidy temporary files leave XDG_RUNTIME_DIR alone; it exists only for people who logged in.
    places = [Path(run) / "embodied"] if run else []
    reason = ""
    for place in (*places, Path(tempfile.gettempdir()) / f"embodied-{os.getuid()}"):
        try:
            return _private(place)
        except OSError as error:
            reason = str(error)
    raise EmbodiedError(f"there is no place to keep the emergency stop in: {reason}")


def _private(folder: Path) -> Path:
    """`folder`, made if it is not there. Raises OSError where others may write to it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{folder} is not a folder of yours alone")
    return folder
