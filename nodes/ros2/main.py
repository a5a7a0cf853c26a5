# SPDX-License-Identifier: Apache-2.0
"""`ros2`: the commands of ROS 2 that a user of this package types, for a ROS 2 that came from PyPI."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence

from embodied.errors import EmbodiedError
from nodes.dds import use_local_transport

COMMANDS = {
    "launch": "Run a launch file",
    "run": "Run a package specific executable",
    "topic": "Various topic related sub-commands",
    "node": "Various node related sub-commands",
    "service": "Various service related sub-commands",
    "param": "Various param related sub-commands",
    "pkg": "Various package related sub-commands",
}
"""Name -> what it does; each is the module of that name beside this one."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    use_local_transport()
    parser = argparse.ArgumentParser(
        prog="ros2", description="ros2 is an extensible command-line tool for ROS 2 (pip-only stand-in)."
    )
    commands = parser.add_subparsers(
        dest="command", metavar="Call `ros2 <command> -h` for more detailed usage."
    )
    for name, meaning in COMMANDS.items():
        sub = commands.add_parser(name, help=meaning, description=meaning)
        if arguments[:1] == [name]:  # import only what is called: rclpy alone takes 0.1 s
            importlib.import_module(f"nodes.ros2.{name}").add_arguments(sub)
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return int(signal.SIGINT)
    except (EmbodiedError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
