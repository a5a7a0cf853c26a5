# SPDX-License-Identifier: Apache-2.0
"""What a launch knows while it runs, and what everything in a launch description is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from nodes.ros2.launching.events import OnProcessExit
    from nodes.ros2.launching.ros import Node


class Entity(Protocol):
    """An element of a launch description."""

    def visit(self, context: LaunchContext) -> Sequence[Entity] | None:
        """Take effect; returns the entities to visit next."""


class LaunchContext:
    """State of one launch: arguments, event handlers, and what was asked for."""

    def __init__(self, *, argv: Sequence[str] = ()) -> None:
        self.argv = list(argv)
        self.launch_configurations: dict[str, str] = {}
        self.remappings: list[tuple[str, str]] = []
        self.handlers: list[OnProcessExit] = []
        self.to_start: list[Node] = []
        self.shutdown_reason: str | None = None
        self.is_shutdown = False

    def shutdown(self, reason: str) -> None:
        """Ask the launch to end; the first reason stays."""
        self.shutdown_reason = self.shutdown_reason or reason
        self.is_shutdown = True
