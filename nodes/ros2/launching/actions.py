# SPDX-License-Identifier: Apache-2.0
"""The actions of `launch.actions` that our launch files use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nodes.ros2.launching.context import Entity, LaunchContext
from nodes.ros2.launching.substitutions import Text, perform

if TYPE_CHECKING:
    from nodes.ros2.launching.description import PythonLaunchDescriptionSource
    from nodes.ros2.launching.events import OnProcessExit


class DeclareLaunchArgument:
    """An argument of the launch file, with its default, its meaning and its valid values."""

    def __init__(
        self,
        name: str,
        *,
        default_value: Text | None = None,
        description: str = "no description given",
        choices: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self.default_value = default_value
        self.choices = choices
        self.description = (
            description if choices is None else f"{description} Valid choices are: {list(choices)}"
        )

    def visit(self, context: LaunchContext) -> None:
        """Take the default where nothing was given. Raises RuntimeError for a value that is not a choice."""
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                raise RuntimeError(f'Required launch argument "{self.name}" was not provided.')
            context.launch_configurations[self.name] = perform(context, self.default_value)
        value = context.launch_configurations[self.name]
        if self.choices is not None and value not in self.choices:
            raise RuntimeError(
                f'Argument "{self.name}" provided value "{value}" is not valid. '
                f"Valid options are: {list(self.choices)}"
            )


class IncludeLaunchDescription:
    """Another launch file as a part of this one."""

    def __init__(
        self,
        launch_description_source: PythonLaunchDescriptionSource,
        *,
        launch_arguments: Iterable[tuple[str, Text]] | None = None,
    ) -> None:
        self.source = launch_description_source
        self.launch_arguments: Mapping[str, Text] = dict(launch_arguments or ())

    def visit(self, context: LaunchContext) -> Sequence[Entity]:
        """Set the arguments of the included file, then go on with its entities."""
        given = {name: perform(context, value) for name, value in self.launch_arguments.items()}
        context.launch_configurations.update(given)
        return (self.source.load(),)


class SetEnvironmentVariable:
    """A variable for every process that is started afterwards."""

    def __init__(self, name: Text, value: Text) -> None:
        self.name = name
        self.value = value

    def visit(self, context: LaunchContext) -> None:
        """Set it."""
        os.environ[perform(context, self.name)] = perform(context, self.value)


class OpaqueFunction:
    """A Python function that is called when the launch gets to it."""

    def __init__(
        self,
        *,
        function: Callable[..., Sequence[Entity] | None],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.function = function
        self.args = tuple(args)
        self.kwargs = dict(kwargs or {})

    def visit(self, context: LaunchContext) -> Sequence[Entity] | None:
        """Call it with the context in front; it may return more entities."""
        return self.function(context, *self.args, **self.kwargs)


class RegisterEventHandler:
    """From now on, react to an event."""

    def __init__(self, event_handler: OnProcessExit) -> None:
        self.event_handler = event_handler

    def visit(self, context: LaunchContext) -> None:
        """Register it."""
        context.handlers.append(self.event_handler)


class Shutdown:
    """End the launch and everything that it started."""

    def __init__(self, *, reason: str = "reason not given") -> None:
        self.reason = reason

    def visit(self, context: LaunchContext) -> None:
        """Ask for it."""
        context.shutdown(self.reason)
