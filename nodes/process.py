# SPDX-License-Identifier: Apache-2.0
"""The entry point of every node and of `supervise`: what happens before its module is there.

python -m nodes.process nodes.gate_node --ros-args ...
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
from pathlib import Path

from nodes.launch_support import USER_ERROR
from nodes.notify import SPARE, Notifier


def main() -> int:
    """Become the node that this process is called after; returns its exit code."""
    # A thread that waits for the others of its sum sleeps: where other processes need the cores as well, as on a robot,
    # one that spins takes a decision from 0.1 s to several.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    name = Path(sys.argv[0]).name.removeprefix("nodes.")
    for number in (signal.SIGINT, signal.SIGTERM):
        # Until the node sets its own there is nothing to put in order, and modules that are half imported.
        signal.signal(number, lambda *_: os._exit(0))
    # `supervise` held them back until here.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        stand_by()
        return int(importlib.import_module(f"nodes.{name}").main())
    except ImportError as error:
        hint = "install what is missing, as with pip install 'embodied[ros]', or source your ROS 2"
        print(f"error: {name} lacks a part: {error}; {hint}", file=sys.stderr, flush=True)
        return USER_ERROR


def stand_by() -> None:
    """In a spare process: import what is slow, and wait until the node that is there now has died."""
    if SPARE not in os.environ:
        return
    modules = os.environ.pop(SPARE).split()
    # Its threads keep the priority of the one that imports it.
    importlib.import_module("numpy")
    slow = threading.Thread(target=_import_gently, args=(modules,), daemon=True)
    slow.start()
    if not os.read(0, 1):
        os._exit(0)  # `supervise` is gone, or needs no node any more
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    slow.join()


def _import_gently(modules: list[str]) -> None:
    # Linux knows the priority of a thread: the node that works now comes first.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    for name in modules:
        # Only made faster by it: one that cannot be imported by itself is imported as the node imports it.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    Notifier().tell("X_PREPARED=1")


if __name__ == "__main__":
    del sys.argv[0]
    sys.exit(main())
