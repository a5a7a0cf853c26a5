# SPDX-License-Identifier: Apache-2.0
"""What happens to processes, and who wants to know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nodes.ros2.launching.context import Entity, LaunchContext
from nodes.ros2.launching.ros import Node


@dataclass(frozen=True, kw_only=True)
class ProcessExited:
    """A process ended."""

    action: Node
    process_name: str  # "sim_node-1"
    returncode: int  # minus the signal, where one ended it
    pid: int


Reaction = Callable[[ProcessExited, LaunchContext], Entity | Sequence[Entity] | None]


class OnProcessExit:
    """Run `on_exit` when the process of `target_action`, or any process, ends."""

    def __init__(self, *, target_action: Node | None = None, on_exit: Reaction | Sequence[Entity]) -> None:
        self.target_action = target_action
        self.on_exit = on_exit

    def handle(self, event: ProcessExited, context: LaunchContext) -> Sequence[Entity]:
        """The entities to visit because of `event`."""
        if self.target_action is not None and event.action is not self.target_action:
            return ()
        if not callable(self.on_exit):
            return self.on_exit
        answer = self.on_exit(event, context)
        if answer is None:
            return ()
        return answer if isinstance(answer, Sequence) else (answer,)
