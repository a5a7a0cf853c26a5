# SPDX-License-Identifier: Apache-2.0
"""A launch description, and the launch file that it comes from."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

from nodes.ros2.launching.actions import DeclareLaunchArgument, IncludeLaunchDescription
from nodes.ros2.launching.context import Entity, LaunchContext


class LaunchDescription:
    """A list of things to do."""

    def __init__(self, initial_entities: Sequence[Entity] = ()) -> None:
        self.entities = list(initial_entities)

    def add_action(self, action: Entity) -> None:
        """Append one thing to do."""
        self.entities.append(action)

    def visit(self, context: LaunchContext) -> Sequence[Entity]:
        """The entities, in order."""
        return self.entities

    def get_launch_arguments(self) -> list[DeclareLaunchArgument]:
        """Every declared argument, those of included files too."""
        return list(self._arguments())

    def _arguments(self) -> Iterator[DeclareLaunchArgument]:
        for entity in self.entities:
            if isinstance(entity, DeclareLaunchArgument):
                yield entity
            elif isinstance(entity, IncludeLaunchDescription):
                yield from entity.source.load()._arguments()


class PythonLaunchDescriptionSource:
    """A launch file by its path."""

    def __init__(self, launch_file_path: str) -> None:
        self.location = launch_file_path
        self._loaded: LaunchDescription | None = None

    def load(self) -> LaunchDescription:
        """Run the file's `generate_launch_description` once."""
        if self._loaded is None:
            name = "launch_file_" + Path(self.location).name.replace(".", "_")
            loader = importlib.machinery.SourceFileLoader(name, self.location)
            spec = importlib.util.spec_from_loader(name, loader)
            assert spec is not None
            module = importlib.util.module_from_spec(spec)
            loader.exec_module(module)
            self._loaded = module.generate_launch_description()
        return self._loaded
