# SPDX-License-Identifier: Apache-2.0
"""The actions of `launch_ros` that our launch files use: nodes, their parameters and their topics."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from nodes.ros2.launching.context import LaunchContext
from nodes.ros2.launching.substitutions import LaunchConfiguration, Text, perform
from nodes.ros2.packages import executable as find_executable


class ParameterValue:
    """A parameter whose type is fixed, whatever its text looks like."""

    def __init__(self, value: object, *, value_type: type | None = None) -> None:
        self.value = value
        self.value_type = value_type

    def evaluate(self, context: LaunchContext) -> object:
        """The value; raises ValueError if it, or what its text says, is not of the type."""
        value = self.value
        if isinstance(value, LaunchConfiguration):
            text = value.perform(context)
            value = text if self.value_type is str else yaml.safe_load(text)
            if self.value_type is float and type(value) is int:
                value = float(value)
        if self.value_type is not None and type(value) is not self.value_type:
            raise ValueError(f"{value!r} is not of type {self.value_type.__name__}")
        return value


class SetRemap:
    """A topic name that every node started afterwards replaces by another."""

    def __init__(self, src: Text, dst: Text) -> None:
        self.src = src
        self.dst = dst

    def visit(self, context: LaunchContext) -> None:
        """Set it."""
        context.remappings.append((perform(context, self.src), perform(context, self.dst)))


class Node:
    """A process that runs one node."""

    def __init__(
        self,
        *,
        executable: Text,
        package: Text,
        name: Text | None = None,
        namespace: Text | None = None,
        parameters: Sequence[str | Path | Mapping[str, object]] = (),
        remappings: Iterable[tuple[Text, Text]] = (),
        arguments: Iterable[Text] = (),
        ros_arguments: Iterable[Text] = (),
        output: str = "log",
        respawn: bool = False,
        respawn_delay: float = 0.0,
    ) -> None:
        self.executable = executable
        self.package = package
        self.name = name
        self.namespace = namespace
        self.parameters = parameters
        self.remappings = list(remappings)
        self.arguments = list(arguments)
        self.ros_arguments = list(ros_arguments)
        self.output = output
        self.respawn = respawn
        self.respawn_delay = respawn_delay
        self.command: list[str] = []
        self.label = ""

    def visit(self, context: LaunchContext) -> None:
        """Resolve everything and ask for the start of the process."""
        self.label = perform(context, self.executable)
        self.command = [*find_executable(perform(context, self.package), self.label)]
        self.command += [perform(context, argument) for argument in self.arguments]
        self.command += ["--ros-args", *(perform(context, argument) for argument in self.ros_arguments)]
        if self.name is not None:
            self.command += ["-r", f"__node:={perform(context, self.name)}"]
        namespace = perform(context, self.namespace) if self.namespace is not None else ""
        if namespace.strip("/"):
            self.command += ["-r", f"__ns:=/{namespace.strip('/')}"]
        for group in self.parameters:
            if isinstance(group, Mapping):
                for key, value in group.items():
                    self.command += _parameter(key, _evaluate(context, value))
            else:
                self.command += ["--params-file", str(group)]
        own = [(perform(context, src), perform(context, dst)) for src, dst in self.remappings]
        for src, dst in [*context.remappings, *own]:
            self.command += ["-r", f"{src}:={dst}"]
        context.to_start.append(self)


def _evaluate(context: LaunchContext, value: object) -> object:
    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    # As in launch_ros, text without a declared type is read as YAML: "true" is a bool, "3" an integer.
    if isinstance(value, (str, LaunchConfiguration)):
        return yaml.safe_load(perform(context, value))
    return value


def _parameter(name: str, value: object) -> list[str]:
    # JSON is YAML, and quotes what YAML would otherwise read as something else.
    return ["-p", f"{name}:={json.dumps(value, ensure_ascii=False)}"]
