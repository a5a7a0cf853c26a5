# SPDX-License-Identifier: Apache-2.0
"""The `embodied` command. Each subcommand is a "module:function" that is imported when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from embodied.config import ConfigError
from embodied.errors import EmbodiedError, UnknownNameError

Main = Callable[[Sequence[str]], int]
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


class Command(NamedTuple):
    """Where a subcommand lives ("module:function", called with its arguments) and what it does."""

    target: str
    summary: str


COMMANDS: Mapping[str, Command] = {
    "tasks": Command("embodied.catalogue:main", "list the tasks, their environments and an example of each"),
    "eval": Command("embodied.evaluate:main", "measure a policy: success with intervals"),
    "collect": Command("embodied.data.collect:main", "record oracle demonstrations in LeRobot v3 layout"),
    "train": Command("embodied.recipes:main", "train the policy with a recipe"),
    "bench": Command("embodied.bench:main", "measure latency, memory and throughput on this machine"),
    "film": Command("embodied.film:main", "make a GIF of the arm doing what it is told"),
    "say": Command("embodied.say:main", "tell the running graph what to do and follow it to its outcome"),
    "doctor": Command("embodied.doctor:main", "say what is installed, what is missing, what to type"),
}
"""`embodied` names the modules of other rooms as text and never imports them on its own."""

_USAGE_ERRORS = (ConfigError, UnknownNameError)


def usage() -> str:
    """The text of `embodied --help`."""
    lines = ["A robot arm that you tell what to do.", "", "usage: embodied COMMAND [key=value ...]", ""]
    lines += [f"  {name:<9}{command.summary}" for name, command in COMMANDS.items()]
    return "\n".join([*lines, "", "embodied COMMAND --help lists the keys of a command."])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand. Returns 0 when it worked, 1 when it failed, 2 when it was called wrongly."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(usage())
            return OK if words else USAGE
        if words[0] in ("-V", "--version"):
            print(_version())
            return OK
        if words[0] not in COMMANDS:
            raise UnknownNameError("command", words[0], COMMANDS)
        return _load(words[0])(words[1:])
    except ModuleNotFoundError as error:
        print(
            f"embodied: `embodied {words[0]}` needs the module {error.name!r}, which is not installed; "
            "`embodied doctor` says what to type",
            file=sys.stderr,
        )
        return FAILED
    except EmbodiedError as error:
        print(f"embodied: {error}", file=sys.stderr)
        return USAGE if isinstance(error, _USAGE_ERRORS) else FAILED
    except KeyboardInterrupt:
        print("embodied: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has gone; Python must not complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _load(name: str) -> Main:
    module_name, _, function_name = COMMANDS[name].target.partition(":")
    function: Main = getattr(importlib.import_module(module_name), function_name)
    return function


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("embodied")
    except PackageNotFoundError:
        return "not installed (running from a source tree)"


if __name__ == "__main__":
    sys.exit(main())
