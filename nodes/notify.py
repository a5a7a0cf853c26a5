# SPDX-License-Identifier: Apache-2.0
"""A node's signs of life, as systemd defines them: READY=1 and WATCHDOG=1 to the socket of NOTIFY_SOCKET.

Who starts the process listens: `supervise`, or systemd with `Type=notify` and `WatchdogSec=2`.
"""

import contextlib
import os
import socket
import time

_GAP_S = 0.1


class Notifier:
    """Tells whoever asked for it that this process is ready and lives; without NOTIFY_SOCKET it does nothing."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        self._told_s = float("-inf")
        self._was_ready = False

    def beat(self, *, ready: bool = True) -> None:
        """Call it from the loop that does the work, as often as it goes round."""
        now_s = time.monotonic()
        if self._socket is None or (now_s - self._told_s < _GAP_S and ready == self._was_ready):
            return
        # A listener that is gone or does not read is no reason to stop working.
        with contextlib.suppress(OSError):
            text = b"READY=1\nWATCHDOG=1" if ready else b"WATCHDOG=1"
            self._socket.sendto(text, socket.MSG_DONTWAIT, self._address)
        self._told_s, self._was_ready = now_s, ready
