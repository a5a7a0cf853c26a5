# SPDX-License-Identifier: Apache-2.0
"""Text that is known only when the launch runs."""

from __future__ import annotations

from collections.abc import Iterable

from nodes.ros2.launching.context import LaunchContext


class LaunchConfiguration:
    """The value of a launch argument."""

    def __init__(self, variable_name: str, *, default: str | None = None) -> None:
        self.variable_name = variable_name
        self.default = default

    def perform(self, context: LaunchContext) -> str:
        """The value; raises RuntimeError if the argument was never declared and has no default."""
        value = context.launch_configurations.get(self.variable_name, self.default)
        if value is None:
            raise RuntimeError(f"launch configuration '{self.variable_name}' does not exist")
        return value


Text = str | LaunchConfiguration | Iterable[str | LaunchConfiguration]


def perform(context: LaunchContext, value: Text) -> str:
    """The text of a string, a substitution, or a sequence of both."""
    if isinstance(value, str):
        return value
    if isinstance(value, LaunchConfiguration):
        return value.perform(context)
    return "".join(perform(context, part) for part in value)
