# SPDX-License-Identifier: Apache-2.0
"""The `embodied` command. Its subcommands are entry points of installed packages, ours and others'."""

import ast
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from embodied.config import ConfigError
from embodied.errors import EmbodiedError, UnknownNameError
from embodied.registry import Registry
from embodied.versions import installed

Main = Callable[[Sequence[str]], int]
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
GROUP = "embodied.commands"

COMMANDS: Registry[Main] = Registry("command", group=GROUP)
"""Subcommand -> the function that is called with its arguments; imported when it is called."""

_USAGE_ERRORS = (ConfigError, UnknownNameError)


def usage() -> str:
    """The text of `embodied --help`."""
    lines = ["A robot arm that you tell what to do.", "", "usage: embodied COMMAND [key=value ...]", ""]
    entries = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    lines += [f"  {entry.name:<9}{_summary(entry.module)}" for entry in entries]
    return "\n".join([*lines, "", "embodied COMMAND --help lists the keys of a command."])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand. Returns 0 when it worked, 1 when it failed, 2 when it was called wrongly."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        # Who runs this for somebody (`timeout`, a service manager) ends it as Ctrl-C does, and with it what it started.
        signal.signal(signal.SIGTERM, _terminated)
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(usage())
            return OK if words else USAGE
        if words[0] in ("-V", "--version"):
            print(installed("embodied") or "not installed (running from a source tree)")
            return OK
        if ":" in words[0]:
            raise UnknownNameError("command", words[0], COMMANDS)
        return COMMANDS.get(words[0])(words[1:])
    except ModuleNotFoundError as error:
        needs = f"`embodied {words[0]}` needs the module {error.name!r}, which is not installed"
        print(f"embodied: {needs}; `embodied doctor` says what to type", file=sys.stderr)
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
    except OSError as error:  # a disk that is full, a folder that is not ours: a later catch than BrokenPipeError's
        print(f"embodied: {' '.join(str(error).split())}", file=sys.stderr)
        return FAILED


def _terminated(*_: object) -> None:
    # `timeout` sends it twice, and what the first began is to be put in order without the second.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _summary(module: str) -> str:
    """The first line of a module's docstring, read without importing it: help must be quick."""
    try:
        source = _file_of(module).read_text(encoding="utf-8")
        text = ast.get_docstring(ast.parse(source)) or ""
    except (ImportError, OSError, ValueError, SyntaxError):
        return "(not importable)"
    return text.partition("\n")[0].rstrip(".")


def _file_of(module: str) -> Path:
    """Where a module stands. Looking for it by its whole name would import the package that it is in."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    places = [Path(place, *rest) for place in (spec and spec.submodule_search_locations) or ()]
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    if not rest and spec is not None and spec.origin is not None:
        files.append(Path(spec.origin))
    return next((file for file in files if file.is_file()), Path(module))


if __name__ == "__main__":
    sys.exit(main())
