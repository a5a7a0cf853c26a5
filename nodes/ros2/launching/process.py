# SPDX-License-Identifier: Apache-2.0
"""One process of a launch: started, its lines prefixed, ended for certain."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import IO

from nodes.ros2.launching.ros import Node

SIGTERM_AFTER_S = 5.0
SIGKILL_AFTER_S = 5.0
_CHUNK = 1 << 16
_LAST_LINES_S = 1.0
_PR_SET_PDEATHSIG = 1


def log(level: str, name: str, text: str) -> None:
    """Print a line as `launch` does: info to stdout, the rest to stderr."""
    print(f"[{level}] [{name}]: {text}", file=sys.stdout if level == "INFO" else sys.stderr, flush=True)


class LaunchedProcess:
    """The process of one Node action; `number` makes its name unique, as in "gate_node-3"."""

    def __init__(self, node: Node, number: int) -> None:
        self.node = node
        self.name = f"{node.label}-{number}"
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: asyncio.Future[int] = asyncio.Future()

    async def run(self) -> int:
        """Start it and wait for its end; returns the exit code, or minus the signal."""
        process = subprocess.Popen(
            self.node.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A session of its own: Ctrl-C reaches it once, and what it starts ends with it.
            start_new_session=True,
            preexec_fn=_end_with_the_launch,
        )
        self._process = process
        self.pid = process.pid
        self._ended = _end_of(process)
        log("INFO", self.name, f"process started with pid [{process.pid}]")
        assert process.stdout is not None and process.stderr is not None
        shown = self.node.output in ("screen", "both")
        readers = [
            asyncio.ensure_future(self._forward(process.stdout, shown=shown)),
            asyncio.ensure_future(self._forward(process.stderr, shown=True)),
        ]
        code = await self._ended
        self.send(signal.SIGKILL)  # what it started and left behind
        _, unfinished = await asyncio.wait(readers, timeout=_LAST_LINES_S)
        for reader in unfinished:
            reader.cancel()
        self._process = None
        if code == 0:
            log("INFO", self.name, f"process has finished cleanly [pid {self.pid}]")
        else:
            command = shlex.join(self.node.command)
            log("ERROR", self.name, f"process has died [pid {self.pid}, exit code {code}, cmd '{command}'].")
        return code

    async def end(self) -> None:
        """SIGINT, then SIGTERM, then SIGKILL, each if the one before did not end it in time."""
        steps = ((signal.SIGINT, SIGTERM_AFTER_S), (signal.SIGTERM, SIGKILL_AFTER_S), (signal.SIGKILL, None))
        previous: tuple[str, float] | None = None
        for number, patience_s in steps:
            if self._process is None:
                return
            if previous is not None:
                log(
                    "ERROR",
                    self.name,
                    f"process[{self.name}] failed to terminate '{previous[1]}' seconds after receiving "
                    f"'{previous[0]}', escalating to '{number.name}'",
                )
            log("INFO", self.name, f"sending signal '{number.name}' to process[{self.name}]")
            self.send(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._ended), patience_s)
                return
            assert patience_s is not None
            previous = (number.name, patience_s)

    def send(self, number: signal.Signals) -> None:
        """Signal the process and all that it started."""
        with contextlib.suppress(ProcessLookupError):  # already gone
            os.killpg(self.pid, number)

    async def _forward(self, pipe: IO[bytes], *, shown: bool) -> None:
        stream = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
        rest = b""
        while chunk := await stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            self._print(lines if shown else ())
        self._print([rest] if shown and rest else ())

    def _print(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            print(f"[{self.name}] {line.decode(errors='replace').rstrip()}", flush=True)


def _end_of(process: subprocess.Popen[bytes]) -> asyncio.Future[int]:
    """The exit code, once the process has ended.

    asyncio's own processes count as running until their pipes are closed, which a child that survives its
    parent can put off for ever.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def wait() -> None:
        code = process.wait()
        loop.call_soon_threadsafe(ended.set_result, code)

    threading.Thread(target=wait, name=f"wait for {process.pid}", daemon=True).start()
    return ended


def _end_with_the_launch() -> None:
    # Runs in the child: should the launch itself be killed, Linux ends the child too.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
