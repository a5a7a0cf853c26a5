# SPDX-License-Identifier: Apache-2.0
"""A node's signs of life, as systemd defines them: READY=1 and WATCHDOG=1 to the socket of NOTIFY_SOCKET.

Who starts the process listens: `supervise`, or systemd with `Type=notify` and `WatchdogSec=2`. X_MODULES names the
modules whose import makes the node slow to start, with spaces between them; a spare process says X_PREPARED=1 once it
has imported them.
"""

import contextlib
import os
import site
import socket
import sys
import time
from collections.abc import Set

SPARE = "EMBODIED_SPARE"
"""Variable of a process that stands by for a node: the modules that it imports before it waits for its turn."""
_GAP_S = 0.1
_DEEPEST = 3
_MOST_MODULES = 2000


def installed_since(before: Set[str]) -> str:
    """Modules of installed packages, not of the user's own folder, that were imported since `sys.modules` was `before`.

    Those that lie deep inside of a package come with the others.
    """
    installed = (*site.getsitepackages(), site.getusersitepackages())
    names = [
        name
        for name, module in list(sys.modules.items())
        # What stands in for a module may import that for any other attribute.
        if name not in before
        and name.count(".") < _DEEPEST
        and str(getattr(module, "__dict__", {}).get("__file__")).startswith(installed)
    ]
    return " ".join(names[:_MOST_MODULES])


class Notifier:
    """Tells whoever asked for it that this process is ready and lives; without NOTIFY_SOCKET it does nothing."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        self._told_s = float("-inf")
        self._was_ready = False

    def beat(self, *, ready: bool = True, modules: str = "") -> None:
        """Call it from the loop that does the work, as often as it goes round; `modules` are told once."""
        now_s = time.monotonic()
        if self._socket is None or (now_s - self._told_s < _GAP_S and ready == self._was_ready):
            return
        text = "READY=1\nWATCHDOG=1" if ready else "WATCHDOG=1"
        self.tell(f"{text}\nX_MODULES={modules}" if ready and not self._was_ready and modules else text)
        self._told_s, self._was_ready = now_s, ready

    def tell(self, words: str) -> None:
        """Send lines of `NAME=value`, if somebody asked for them."""
        # A listener that is gone or does not read is no reason to stop working.
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.sendto(words.encode(), socket.MSG_DONTWAIT, self._address)
