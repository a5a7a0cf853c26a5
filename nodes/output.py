# SPDX-License-Identifier: Apache-2.0
"""What a child process prints, passed on to whoever reads, without ever waiting for them."""

import os
import select

_CHUNK = 1 << 16
_PIPE_BUF = 4096
"""So much goes into a pipe that select calls writable, without waiting."""
_KEPT = 1 << 20
_WORDS = 400


class Output:
    """One of our own streams. What nobody reads is kept up to 1 MiB, and beyond that dropped, and so said."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._waiting = bytearray()
        self._dropped = 0
        self._tail = b""

    @property
    def last_line(self) -> str:
        """The last line that the child printed, or the end of a long one."""
        lines = self._tail.decode(errors="replace").split("\n")
        return next((line.strip()[-_WORDS:] for line in reversed(lines) if line.strip()), "")

    def pass_on(self, source: int) -> bool:
        """Take what has come through the pipe `source`; False at its end."""
        data = os.read(source, _CHUNK)
        self._tail = (self._tail + data)[-4 * _WORDS :]
        self.write(data)
        return bool(data)

    def write(self, data: bytes) -> None:
        """Show `data`, now or when it is read."""
        if len(self._waiting) + len(data) > _KEPT:
            self._dropped += len(data)
            return
        if self._dropped:
            data = f"\n({self._dropped} bytes were not read in time, and dropped)\n".encode() + data
            self._dropped = 0
        self._waiting += data
        self.flush()

    def flush(self) -> bool:
        """Show what can be shown without waiting; True if something is left."""
        try:
            while self._waiting and select.select([], [self._fd], [], 0)[1]:
                del self._waiting[: os.write(self._fd, self._waiting[:_PIPE_BUF])]
        except BlockingIOError:
            pass
        except (OSError, ValueError):
            self._waiting.clear()  # who read it has gone, as with `| head`
        return bool(self._waiting)
