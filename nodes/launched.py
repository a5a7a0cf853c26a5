# SPDX-License-Identifier: Apache-2.0
"""A launch as a process of its own: begun for an evaluation or for fault tests, and ended with all that it started."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_ENDS_WITHIN_S = 20.0


def launch(what: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """`ros2 launch` of ROS, or of the stand-in, with the arguments `what`; what it prints is added to `log`."""
    ros2 = [sys.executable, "-m", "nodes.ros2.main"]
    if os.environ.get("ROS_DISTRO"):
        ros2 = [shutil.which("ros2") or "ros2"]
    return begin([*ros2, "launch", *what], log, env)


def begin(command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """A process in a session of its own, so that it and what it starts can be ended together."""
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end(launch: subprocess.Popen[bytes]) -> None:
    """Let a launch end its nodes; one that does not is killed with all of them."""
    launch.send_signal(signal.SIGINT)
    try:
        launch.wait(timeout=_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        kill(launch)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_words(log: Path) -> str:
    """The last lines of a log, for an error that is told in one line."""
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
