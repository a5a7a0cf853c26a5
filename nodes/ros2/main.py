# SPDX-License-Identifier: Apache-2.0
"""`ros2`: the commands of ROS 2 that a user of this package types, for a ROS 2 that came from PyPI.

Names, arguments and output are those of the real command.
"""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from embodied.errors import EmbodiedError
from nodes.dds import use_local_transport


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    use_local_transport()
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        # Import only what is called: rclpy alone takes 0.1 s.
        module, _, function = options.run.partition(":")
        run = getattr(importlib.import_module(f"nodes.ros2.{module}"), function)
        return int(run(options))
    except KeyboardInterrupt:
        return int(signal.SIGINT)
    except BrokenPipeError:
        # Who read the output has gone, as with `| head`. Python's last flush must not fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (EmbodiedError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ros2", description="ros2 is an extensible command-line tool for ROS 2 (pip-only stand-in)."
    )
    commands = yaml.safe_load(Path(__file__).with_name("commands.yaml").read_text(encoding="utf-8"))
    _add(parser.add_subparsers(dest="command", metavar="command"), commands)
    return parser


def _add(place: Any, commands: Mapping[str, Mapping[str, Any]]) -> None:
    """Add the commands of commands.yaml, and their verbs."""
    for name, command in commands.items():
        if "verbs" in command:
            group = place.add_parser(name, help=f"Various {name} related sub-commands")
            _add(group.add_subparsers(dest="verb", required=True), command["verbs"])
            continue
        sub = place.add_parser(name, help=command["help"], description=command["help"])
        sub.set_defaults(run=command["run"])
        sub.register("type", "positive", _positive)
        for names, settings in command["arguments"].items():
            sub.add_argument(*names.split(), **settings)


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError("value must be positive")
    return value


if __name__ == "__main__":
    sys.exit(main())
