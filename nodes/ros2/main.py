# SPDX-License-Identifier: Apache-2.0
"""`ros2`: the commands of ROS 2 that a user of this package types, for a ROS 2 that came from PyPI.

Names, arguments and output are those of the real command.
"""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

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
    commands = parser.add_subparsers(dest="command", metavar="command")
    sub = _add(commands, "launch", "Run a launch file", "launch_service:launch")
    _flag(sub, "-d", "--debug", help="Print tracebacks of the launch itself")
    _flag(sub, "-s", "--show-args", "--show-arguments", help="Show the arguments of the launch file")
    sub.add_argument("package_name", help="Name of the ROS package, or path of a launch file")
    sub.add_argument("launch_file_name", nargs="?", help="Name of the launch file")
    sub.add_argument("launch_arguments", nargs="*", help="Arguments to the launch file; '<name>:=<value>'")
    sub = _add(commands, "run", "Run a package specific executable", "packages:run")
    sub.add_argument("package_name", help="Name of the ROS package")
    sub.add_argument("executable_name", help="Name of the executable")
    sub.add_argument("argv", nargs=argparse.REMAINDER, help="Pass arbitrary arguments to the executable")
    _add_topic(_group(commands, "topic"))
    _add(_group(commands, "node"), "list", "Output a list of available nodes", "graph:list_nodes")
    sub = _add(_group(commands, "service"), "call", "Call a service", "graph:call_service")
    sub.add_argument("service_name", help="Name of the ROS service to call to (e.g. '/add_two_ints')")
    sub.add_argument("service_type", help="Type of the ROS service (e.g. 'std_srvs/srv/Empty')")
    sub.add_argument("values", nargs="?", default="{}", help="Values of the request in YAML")
    _add_param(_group(commands, "param"))
    return parser


def _add_topic(verbs: Any) -> None:
    sub = _add(verbs, "list", "Output a list of available topics", "topic:list_topics")
    _flag(sub, "-t", "--show-types", help="Additionally show the topic type")
    sub = _add(verbs, "pub", "Publish a message to a topic", "topic:pub")
    sub.add_argument("topic_name", help="Name of the ROS topic to publish to (e.g. '/chatter')")
    sub.add_argument("message_type", help="Type of the ROS message (e.g. 'std_msgs/msg/String')")
    sub.add_argument("values", nargs="?", default="{}", help="Values of the message in YAML")
    _flag(sub, "-1", "--once", help="Publish one message and exit")
    sub.add_argument("-r", "--rate", type=_positive, default=1.0, help="In Hz (default: 1)")
    sub = _add(verbs, "echo", "Output messages from a topic", "topic:echo")
    sub.add_argument("topic_name", help="Name of the ROS topic to listen to (e.g. '/chatter')")
    sub.add_argument("message_type", nargs="?", help="Type of the ROS message (e.g. 'std_msgs/msg/String')")
    _flag(sub, "-f", "--full-length", help="Output all elements of arrays and texts")
    _flag(sub, "--once", help="Print the first message received and then exit")
    sub = _add(verbs, "hz", "Print the average publishing rate to screen", "topic:hz")
    sub.add_argument("topic_name", help="Name of the ROS topic to listen to (e.g. '/chatter')")


def _add_param(verbs: Any) -> None:
    sub = _add(verbs, "list", "Output a list of available parameters", "graph:list_parameters")
    sub.add_argument("node_name", nargs="?", help="Name of the ROS node; without it, of every node")
    for name, meaning in (("get", "Get parameter"), ("set", "Set parameter")):
        sub = _add(verbs, name, meaning, f"graph:{name}_parameter")
        sub.add_argument("node_name", help="Name of the ROS node")
        sub.add_argument("parameter_name", help="Name of the parameter")
        if name == "set":
            sub.add_argument("value", help="Value of the parameter")


def _group(commands: Any, name: str) -> Any:
    sub = commands.add_parser(name, help=f"Various {name} related sub-commands")
    return sub.add_subparsers(dest="verb", required=True)


def _add(verbs: Any, name: str, meaning: str, run: str) -> argparse.ArgumentParser:
    sub: argparse.ArgumentParser = verbs.add_parser(name, help=meaning, description=meaning)
    sub.set_defaults(run=run)
    return sub


def _flag(sub: argparse.ArgumentParser, *names: str, help: str) -> None:
    sub.add_argument(*names, action="store_true", help=help)


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError("value must be positive")
    return value


if __name__ == "__main__":
    sys.exit(main())
