# SPDX-License-Identifier: Apache-2.0
"""`ros2 run <package> <executable> [arguments ...]`."""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess

from nodes.ros2.packages import executable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments as of the real command."""
    parser.add_argument("package_name", help="Name of the ROS package")
    parser.add_argument("executable_name", help="Name of the executable")
    parser.add_argument("argv", nargs=argparse.REMAINDER, help="Pass arbitrary arguments to the executable")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the executable to its end; returns its exit code."""
    command = [*executable(options.package_name, options.executable_name), *options.argv]
    with subprocess.Popen(command) as process:
        # A SIGTERM to this command is meant for the executable; Ctrl-C reaches both by the terminal.
        signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
        while process.poll() is None:
            with contextlib.suppress(KeyboardInterrupt):
                process.wait()
    code = process.returncode
    if code < 0:
        print("[ros2run]:", signal.strsignal(-code))
    elif code > 0:
        print("[ros2run]: Process exited with failure", code)
    return code
