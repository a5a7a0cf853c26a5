# SPDX-License-Identifier: Apache-2.0
"""The entry point of every node and of `supervise`: what happens before its module is there.

python -m nodes.process nodes.gate_node --ros-args ...
"""

import importlib
import os
import signal
import sys
from pathlib import Path

from nodes.launch_support import USER_ERROR


def main() -> int:
    """Become the node that this process is called after; returns its exit code."""
    name = Path(sys.argv[0]).name.removeprefix("nodes.")
    for number in (signal.SIGINT, signal.SIGTERM):
        # Until the node sets its own there is nothing to put in order, and modules that are half imported.
        signal.signal(number, lambda *_: os._exit(0))
    # `supervise` held them back until here.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        return int(importlib.import_module(f"nodes.{name}").main())
    except ImportError as error:
        hint = "install what is missing, as with pip install 'embodied[ros]', or source your ROS 2"
        print(f"error: {name} lacks a part: {error}; {hint}", file=sys.stderr, flush=True)
        return USER_ERROR


if __name__ == "__main__":
    del sys.argv[0]
    sys.exit(main())
