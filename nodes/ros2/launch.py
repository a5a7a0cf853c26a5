# SPDX-License-Identifier: Apache-2.0
"""`ros2 launch <package> <file> [name:=value ...]`, or a path to a launch file in place of both."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from embodied.errors import EmbodiedError
from nodes.ros2 import launching
from nodes.ros2.launching.description import LaunchDescription, PythonLaunchDescriptionSource
from nodes.ros2.launching.process import log
from nodes.ros2.launching.service import LaunchService
from nodes.ros2.packages import launch_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments as of the real command."""
    parser.add_argument(
        "-n", "--noninteractive", action="store_true", help="Accepted for compatibility; nothing is asked for"
    )
    parser.add_argument("-d", "--debug", action="store_true", help="Print tracebacks of the launch itself")
    parser.add_argument(
        "-s",
        "--show-args",
        "--show-arguments",
        action="store_true",
        help="Show arguments that may be given to the launch file",
    )
    parser.add_argument("package_name", help="Name of the ROS package which contains the launch file")
    parser.add_argument("launch_file_name", nargs="?", help="Name of the launch file")
    parser.add_argument("launch_arguments", nargs="*", help="Arguments to the launch file; '<name>:=<value>'")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Launch, or show what may be given."""
    launching.install()
    arguments = list(options.launch_arguments)
    if Path(options.package_name).is_file():
        path = Path(options.package_name)
        arguments[:0] = [options.launch_file_name] if options.launch_file_name else []
    else:
        path = launch_file(options.package_name, options.launch_file_name or "")
    _check_form(arguments)
    try:
        description = PythonLaunchDescriptionSource(str(path)).load()
    except ImportError as error:
        raise EmbodiedError(f"{path}: {error}") from error
    if options.show_args:
        _show_arguments(description)
        return 0
    log("INFO", "launch", f"launching {path}")
    return LaunchService(argv=arguments, debug=options.debug).run(description)


def _check_form(arguments: Sequence[str]) -> None:
    for argument in arguments:
        name, separator, _ = argument.partition(":=")
        if not (name and separator):
            raise RuntimeError(f"malformed launch argument '{argument}', expected format '<name>:=<value>'")


def _show_arguments(description: LaunchDescription) -> None:
    print("Arguments (pass arguments as '<name>:=<value>'):")
    for argument in description.get_launch_arguments():
        print(f"\n    '{argument.name}':\n        {argument.description}")
        if argument.default_value is not None:
            print(f"        (default: {str(argument.default_value)!r})")
