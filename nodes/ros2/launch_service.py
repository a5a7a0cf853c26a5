# SPDX-License-Identifier: Apache-2.0
"""`ros2 launch`: runs a launch description from its start to the end of its last process.

Whatever happens to the launch, its processes end with it: it cannot be interrupted on its way out, and it
needs no one to read what it prints.
"""

import argparse
import asyncio
import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import IO

from embodied.errors import EmbodiedError
from nodes.ros2.launch_model import (
    Entity,
    LaunchContext,
    LaunchDescription,
    Node,
    ProcessExited,
    PythonLaunchDescriptionSource,
    install,
)
from nodes.ros2.packages import launch_file

PATIENCE_S = 5.0
"""Between SIGINT, SIGTERM and SIGKILL to a process that does not end."""
_CHUNK = 1 << 16
_LAST_LINES_S = 1.0
_PR_SET_PDEATHSIG = 1
# Looked up here: between fork and exec, the dynamic linker could wait for ever for another thread's lock.
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)


def launch(options: argparse.Namespace) -> int:
    """Launch, or show what may be given."""
    install()
    arguments = list(options.launch_arguments)
    if Path(options.package_name).is_file():
        path = Path(options.package_name)
        arguments[:0] = [options.launch_file_name] if options.launch_file_name else []
    else:
        path = launch_file(options.package_name, options.launch_file_name or "")
    for argument in arguments:
        name, separator, _ = argument.partition(":=")
        if not (name and separator):
            raise EmbodiedError(f"malformed launch argument '{argument}', expected format '<name>:=<value>'")
    try:
        description = PythonLaunchDescriptionSource(str(path)).description
    except ImportError as error:
        raise EmbodiedError(f"{path}: {error}") from error
    if options.show_args:
        _show_arguments(description)
        return 0
    _log("INFO", "launch", f"launching {path}")
    return asyncio.run(_Launch(arguments, debug=options.debug).run(description))


def _show_arguments(description: LaunchDescription) -> None:
    print("Arguments (pass arguments as '<name>:=<value>'):")
    for argument in description.get_launch_arguments():
        choices = f" Valid choices are: {list(argument.choices)}" if argument.choices is not None else ""
        print(f"\n    '{argument.name}':\n        {argument.description}{choices}")
        if argument.default_value is not None:
            print(f"        (default: {str(argument.default_value)!r})")


def _log(level: str, name: str, text: str) -> None:
    """Print a line as `launch` does: info to stdout, the rest to stderr."""
    _print(f"[{level}] [{name}]: {text}", sys.stdout if level == "INFO" else sys.stderr)


def _print(line: str, stream: IO[str]) -> None:
    try:
        print(line, file=stream, flush=True)
    except OSError:
        # Who read it has gone, as with `| head`. The processes go on, and must be ended all the same: what
        # follows goes nowhere instead of failing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Process:
    """The process of one Node action; `number` makes its name unique, as in "gate_node-3"."""

    def __init__(self, node: Node, number: int) -> None:
        self.node = node
        self.name = f"{node.label}-{number}"
        self.pid = 0
        self._ended: asyncio.Future[int] | None = None
        """Set while it runs."""

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
        self.pid = process.pid
        self._ended = _end_of(process)
        _log("INFO", self.name, f"process started with pid [{process.pid}]")
        assert process.stdout is not None and process.stderr is not None
        shown = self.node.output in ("screen", "both")
        readers = [
            asyncio.ensure_future(self._forward(process.stdout, shown=shown)),
            asyncio.ensure_future(self._forward(process.stderr, shown=True)),
        ]
        code = await self._ended
        self._send(signal.SIGKILL)  # what it started and left behind
        _, unfinished = await asyncio.wait(readers, timeout=_LAST_LINES_S)
        for reader in unfinished:
            reader.cancel()
        self._ended = None
        if code == 0:
            _log("INFO", self.name, f"process has finished cleanly [pid {self.pid}]")
        else:
            command = shlex.join(self.node.command)
            _log("ERROR", self.name, f"process has died [pid {self.pid}, exit code {code}, cmd '{command}'].")
        return code

    async def end(self) -> None:
        """SIGINT, then SIGTERM, then SIGKILL, each if the one before did not end it in time."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._ended is None:
                return
            if number != signal.SIGINT:
                _log("ERROR", self.name, f"still there after {PATIENCE_S:g} s, escalating to '{number.name}'")
            _log("INFO", self.name, f"sending signal '{number.name}' to process[{self.name}]")
            self._send(number)
            if (await asyncio.wait({self._ended}, timeout=PATIENCE_S))[0]:
                return

    def _send(self, number: signal.Signals) -> None:
        """Signal the process and all that it started."""
        with contextlib.suppress(ProcessLookupError):  # already gone
            os.killpg(self.pid, number)

    async def _forward(self, pipe: IO[bytes], *, shown: bool) -> None:
        """Print its lines; what is not shown is read as well, or the process would wait for a reader."""
        stream = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
        rest = b""
        while chunk := await stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            self._show(lines if shown else ())
        self._show([rest] if shown and rest else ())

    def _show(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            _print(f"[{self.name}] {line.decode(errors='replace').rstrip()}", sys.stdout)


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
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


class _Launch:
    """One launch: visit the entities, run the processes, react to their ends."""

    def __init__(self, argv: Sequence[str], *, debug: bool) -> None:
        self._context = LaunchContext(argv=argv)
        self._debug = debug
        self._failed = False
        self._processes: list[_Process] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, description: Entity) -> int:
        """Launch; returns 0, or 1 if anything in the launch itself went wrong."""
        loop = asyncio.get_running_loop()

        def on_signal(number: int, _: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._interrupt, signal.Signals(number))

        # Not the loop's own handlers: closing the loop would make Ctrl-C a KeyboardInterrupt again.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, on_signal)
        stopping = asyncio.ensure_future(self._context.stopping.wait())
        self._visit(description)
        while self._tasks and not self._context.is_shutdown:
            await asyncio.wait({stopping, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        self._context.stopping.set()
        await asyncio.gather(*(process.end() for process in self._processes))
        await asyncio.gather(*self._tasks)
        # Nothing is left to be ended: a late Ctrl-C could only disturb Python's own end.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        return int(self._failed)

    def _interrupt(self, number: signal.Signals) -> None:
        how = "ctrl-c (SIGINT)" if number == signal.SIGINT else number.name
        again = " again, ignoring..." if self._context.is_shutdown else ""
        self._context.stopping.set()
        _log("WARNING", "launch", f"user interrupted with {how}{again}")

    def _visit(self, entity: Entity) -> None:
        """Visit an entity and what it leads to, depth first."""
        pending: list[Entity] = [entity]
        try:
            while pending:
                following = pending.pop(0).visit(self._context)
                pending[:0] = following or ()
                self._start_requested()
        except Exception as error:  # noqa: BLE001 - a launch file may raise anything; the launch must still end
            if self._debug:
                _print(traceback.format_exc(), sys.stderr)
            self._failed = True
            self._context.stopping.set()
            _log("ERROR", "launch", f"Caught exception in launch (see debug for traceback): {error}")

    def _start_requested(self) -> None:
        nodes, self._context.to_start = self._context.to_start, []
        for node in nodes:
            if self._context.is_shutdown:
                return
            process = _Process(node, len(self._processes) + 1)
            self._processes.append(process)
            task = asyncio.ensure_future(self._keep_running(process))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _keep_running(self, process: _Process) -> None:
        node = process.node
        while not self._context.is_shutdown:
            try:
                code = await process.run()
            except OSError as error:
                _log("ERROR", process.name, f"exception occurred while executing process: {error}")
                return
            self._visit(ProcessExited(action=node, process_name=process.name, returncode=code, pid=process.pid))
            if not node.respawn:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._context.stopping.wait(), node.respawn_delay)
