# SPDX-License-Identifier: Apache-2.0
"""Names of launch arguments, checked: ROS's `launch` accepts any name and ignores what it does not know."""

import sys
from collections.abc import Iterable
from pathlib import Path

from embodied.errors import UnknownNameError


def refuse_unknown(argv: Iterable[str], valid: Iterable[str], launch_file: str) -> None:
    """Raise UnknownNameError, which lists the `valid` names, for any other `name:=value` in `argv`.

    Nothing is checked where another file than `launch_file` is the one that was launched: then the arguments
    are that file's.
    """
    if not any(Path(argument).name == launch_file for argument in sys.argv):
        return
    names = set(valid)
    for argument in argv:
        name, separator, _ = argument.partition(":=")
        if separator and name not in names:
            raise UnknownNameError(f"argument of {launch_file}", name, names)
