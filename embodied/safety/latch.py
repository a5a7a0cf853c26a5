# SPDX-License-Identifier: Apache-2.0
"""The emergency stop on disk, so that it outlives the process that was told.

The file holds one word, `released` or `stopped`. Whatever else is found, and no file at all, means
stopped: a process that starts knows that it may move only where something says so.
"""

import contextlib
import os
import stat
from pathlib import Path

RELEASED = "released"
STOPPED = "stopped"
LATCHED = "emergency stop, latched before"
"""What `Latch.read` says of a file that was told to stop; anything else is a file that says nothing clear."""


class Latch:
    """The file at `path`; without a path nothing is kept. No method raises: a stop is no time for it."""

    def __init__(self, path: Path | str | None) -> None:
        self.path = Path(path) if path else None

    def read(self) -> str:
        """Why nothing may move, as a sentence without its end; empty where the file says released."""
        if self.path is None:
            return ""
        try:
            # A pipe would wait for a writer for ever.
            if not stat.S_ISREG(self.path.stat().st_mode):
                return f"{self.path} is no file"
            with self.path.open("rb") as file:
                content = file.read(64).decode("ascii", errors="replace").strip()
        except FileNotFoundError:
            return f"there is no {self.path}, which would say that the emergency stop is released"
        except (OSError, ValueError) as error:
            return f"{self.path} cannot be read ({_why(error)})"
        if content == RELEASED:
            return ""
        if content == STOPPED:
            return LATCHED
        return f"{self.path} says neither {RELEASED} nor {STOPPED}"

    def stops(self) -> bool:
        """Whether there is a file, and it does not say released: what a gate that runs goes by."""
        return self.path is not None and os.path.lexists(self.path) and bool(self.read())

    def stop(self) -> str:
        """Note the stop. Returns what went wrong, empty where it is written and safe."""
        if self.path is None:
            return ""
        complaint = self._write(STOPPED)
        if not complaint:
            return ""
        # A full disk takes no new file, but it empties one or lets it go; and an empty one, or none, means
        # stopped. Empty first: a launch makes a released file where there is none.
        for spoil in (lambda path: os.truncate(path, 0), Path.unlink):
            if not self.read():
                with contextlib.suppress(OSError, ValueError):
                    spoil(self.path)
        if self.read():
            return f"{complaint}; a gate that is started anew stays stopped all the same"
        return f"{complaint}: it still says {RELEASED}, and a GATE THAT IS STARTED ANEW WOULD NOT BE STOPPED"

    def release(self) -> str:
        """Note that the stop is released. Returns what went wrong, empty where it is written and safe."""
        if self.path is None:
            return ""
        complaint = self._write(RELEASED)
        return f"{complaint}: a gate that is started anew will be stopped" if complaint else ""

    def _write(self, word: str) -> str:
        """Replace the file as a whole. Returns what went wrong."""
        assert self.path is not None
        try:
            new = self.path.with_name(f"{self.path.name}.new")
            try:
                # A cleaner of temporary files may have taken the folder.
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with new.open("w", encoding="ascii") as file:
                    file.write(f"{word}\n")
                    file.flush()
                    # Every process sees it from here on, however long the disk takes to make it last.
                    new.replace(self.path)
                    os.fsync(file.fileno())
                _sync(self.path.parent)
            except OSError:
                with contextlib.suppress(OSError):
                    new.unlink()
                raise
        except (OSError, ValueError) as error:
            return f"{self.path} could not be written ({_why(error)})"
        return ""


def _sync(folder: Path) -> None:
    """Make a new name in `folder` outlive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(error: Exception) -> str:
    return str(error.strerror if isinstance(error, OSError) and error.strerror else error)
