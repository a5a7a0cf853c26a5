# SPDX-License-Identifier: Apache-2.0
"""Runs a launch description from its start to the end of its last process."""

from __future__ import annotations

import asyncio
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nodes.ros2.launching.context import Entity, LaunchContext
from nodes.ros2.launching.events import ProcessExited
from nodes.ros2.launching.process import LaunchedProcess, log
from nodes.ros2.launching.ros import Node


class LaunchService:
    """One launch: visit the entities, run the processes, react to their ends."""

    def __init__(self, *, argv: Sequence[str] = (), debug: bool = False) -> None:
        self.context = LaunchContext(argv=argv)
        for argument in argv:
            name, _, value = argument.partition(":=")
            self.context.launch_configurations[name] = value
        self._debug = debug
        self._failed = False
        self._count = 0
        self._wake = asyncio.Event()
        self._processes: set[LaunchedProcess] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, description: Entity) -> int:
        """Launch; returns 0, or 1 if anything in the launch itself went wrong."""
        return asyncio.run(self._run(description))

    async def _run(self, description: Entity) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt, "ctrl-c (SIGINT)", "SIGINT")
        loop.add_signal_handler(signal.SIGTERM, self._interrupt, "SIGTERM", "SIGTERM")
        self._visit(description)
        while self._tasks and not self.context.is_shutdown:
            # A task that ends, or a request to shut down, whichever comes first.
            woken = asyncio.ensure_future(self._wake.wait())
            await asyncio.wait({woken, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
        self.context.is_shutdown = True
        self._wake.set()
        await asyncio.gather(*(process.end() for process in tuple(self._processes)))
        await asyncio.gather(*self._tasks)
        return int(self._failed)

    def _interrupt(self, how: str, signal_name: str) -> None:
        if self.context.is_shutdown:
            log("WARNING", "launch", f"user interrupted with {how} again, ignoring...")
            return
        log("WARNING", "launch", f"user interrupted with {how}")
        self.context.shutdown(f"received {signal_name}")
        self._wake.set()

    def _visit(self, entity: Entity) -> None:
        """Visit an entity and what it leads to, depth first."""
        with self._failure_ends_the_launch():
            pending: list[Entity] = [entity]
            while pending:
                following = pending.pop(0).visit(self.context)
                pending[:0] = following or ()
                self._start_requested()
        if self.context.is_shutdown:
            self._wake.set()

    def _handle(self, event: ProcessExited) -> None:
        for handler in tuple(self.context.handlers):
            with self._failure_ends_the_launch():
                for entity in handler.handle(event, self.context):
                    self._visit(entity)

    @contextmanager
    def _failure_ends_the_launch(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a launch file may raise anything; the launch must still end
            if self._debug:
                traceback.print_exc()
            log("ERROR", "launch", f"Caught exception in launch (see debug for traceback): {error}")
            self._failed = True
            self.context.shutdown(str(error))
            self._wake.set()

    def _start_requested(self) -> None:
        nodes, self.context.to_start = self.context.to_start, []
        for node in nodes:
            if self.context.is_shutdown:
                return
            self._count += 1
            process = LaunchedProcess(node, self._count)
            task = asyncio.ensure_future(self._keep_running(node, process))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _keep_running(self, node: Node, process: LaunchedProcess) -> None:
        while not self.context.is_shutdown:
            self._processes.add(process)
            try:
                code = await process.run()
            except OSError as error:
                log("ERROR", process.name, f"exception occurred while executing process: {error}")
                return
            finally:
                self._processes.discard(process)
            event = ProcessExited(action=node, process_name=process.name, returncode=code, pid=process.pid)
            self._handle(event)
            if not node.respawn:
                return
            if not self.context.is_shutdown:
                # Wait for the delay, or for a request to shut down.
                await asyncio.wait({asyncio.ensure_future(self._wake.wait())}, timeout=node.respawn_delay)
