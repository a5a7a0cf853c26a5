# SPDX-License-Identifier: Apache-2.0
"""What the launch files of this package need of ROS's `launch` and `launch_ros`, under their real names.

`install` puts these classes into `sys.modules`, and only where ROS's own `launch` is absent: nothing on disk
can shadow a real installation. `launch_service` visits what a launch file describes, and runs the processes.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import runpy
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import yaml

from embodied.errors import EmbodiedError
from nodes.ros2.packages import executable as find_executable


class LaunchContext:
    """State of one launch: arguments, event handlers, and what was asked for."""

    def __init__(self, *, argv: Sequence[str] = ()) -> None:
        self.argv = list(argv)
        given = (argument.partition(":=") for argument in argv)
        self.launch_configurations = {name: value for name, _, value in given}
        self.remappings: list[tuple[str, str]] = []
        self.handlers: list[OnProcessExit] = []
        self.to_start: list[Node] = []
        self.stopping = asyncio.Event()

    @property
    def is_shutdown(self) -> bool:
        """Whether the launch was asked to end."""
        return self.stopping.is_set()


class Entity(Protocol):
    """An element of a launch description."""

    def visit(self, context: LaunchContext) -> Sequence[Entity] | None:
        """Take effect; returns the entities to visit next."""


@dataclass(eq=False)
class LaunchConfiguration:
    """The value of a launch argument, known only when the launch runs."""

    variable_name: str

    def perform(self, context: LaunchContext) -> str:
        """The value; raises RuntimeError if the argument was never declared."""
        if self.variable_name not in context.launch_configurations:
            raise RuntimeError(f"launch configuration '{self.variable_name}' does not exist")
        return context.launch_configurations[self.variable_name]


Text = str | LaunchConfiguration | Iterable[str | LaunchConfiguration]


def perform(context: LaunchContext, value: Text) -> str:
    """The text of a string, a substitution, or a sequence of both."""
    if isinstance(value, str):
        return value
    if isinstance(value, LaunchConfiguration):
        return value.perform(context)
    return "".join(perform(context, part) for part in value)


@dataclass(eq=False)
class DeclareLaunchArgument:
    """An argument of the launch file, with its default, its meaning and its valid values."""

    name: str
    _: KW_ONLY
    default_value: Text | None = None
    description: str = "no description given"
    choices: Sequence[str] | None = None

    def visit(self, context: LaunchContext) -> None:
        """Take the default where nothing was given. Raises RuntimeError for a value that is not a choice."""
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                raise RuntimeError(f'Required launch argument "{self.name}" was not provided.')
            context.launch_configurations[self.name] = perform(context, self.default_value)
        value = context.launch_configurations[self.name]
        if self.choices is not None and value not in self.choices:
            raise RuntimeError(
                f'Argument "{self.name}" provided value "{value}" is not valid. Valid options are: {list(self.choices)}'
            )


@dataclass(eq=False)
class IncludeLaunchDescription:
    """Another launch file as a part of this one."""

    launch_description_source: PythonLaunchDescriptionSource
    _: KW_ONLY
    launch_arguments: Iterable[tuple[str, Text]] = ()

    def visit(self, context: LaunchContext) -> Sequence[Entity]:
        """Set the arguments of the included file, then go on with its entities."""
        given = {name: perform(context, value) for name, value in self.launch_arguments}
        context.launch_configurations.update(given)
        return (self.launch_description_source.description,)


@dataclass(eq=False)
class SetEnvironmentVariable:
    """A variable for every process that is started afterwards."""

    name: Text
    value: Text

    def visit(self, context: LaunchContext) -> None:
        os.environ[perform(context, self.name)] = perform(context, self.value)


@dataclass(eq=False)
class SetRemap:
    """A topic name that every node started afterwards replaces by another."""

    src: Text
    dst: Text

    def visit(self, context: LaunchContext) -> None:
        context.remappings.append((perform(context, self.src), perform(context, self.dst)))


@dataclass(eq=False, kw_only=True)
class OpaqueFunction:
    """A Python function that is called when the launch gets to it."""

    function: Callable[..., Sequence[Entity] | None]
    args: Iterable[Any] = ()

    def visit(self, context: LaunchContext) -> Sequence[Entity] | None:
        """Call it with the context in front; it may return more entities."""
        return self.function(context, *self.args)


@dataclass(eq=False)
class RegisterEventHandler:
    """From now on, react to an event."""

    event_handler: OnProcessExit

    def visit(self, context: LaunchContext) -> None:
        context.handlers.append(self.event_handler)


@dataclass(eq=False, kw_only=True)
class Shutdown:
    """End the launch and everything that it started; the reason is for who reads the launch file."""

    reason: str = "reason not given"

    def visit(self, context: LaunchContext) -> None:
        context.stopping.set()


@dataclass(eq=False)
class ParameterValue:
    """A parameter whose type is fixed, whatever its text looks like."""

    value: object
    _: KW_ONLY
    value_type: type | None = None

    def evaluate(self, context: LaunchContext) -> object:
        """The value; raises ValueError if it, or what its text says, is not of the type."""
        value = self.value
        if isinstance(value, (str, LaunchConfiguration)):
            value = perform(context, value)
            # As in launch_ros, text of no declared type is read as YAML: "true" is a bool, "3" an integer.
            value = value if self.value_type is str else yaml.safe_load(value)
        if self.value_type is float and type(value) is int:
            value = float(value)
        if self.value_type is not None and type(value) is not self.value_type:
            raise ValueError(f"{value!r} is not of type {self.value_type.__name__}")
        return value


@dataclass(eq=False, kw_only=True)
class Node:
    """A process that runs one node."""

    executable: Text
    package: Text
    name: Text | None = None
    namespace: Text = ""
    exec_name: Text | None = None
    prefix: Text = ""
    parameters: Sequence[str | Path | Mapping[str, object]] = ()
    arguments: Iterable[Text] = ()
    ros_arguments: Iterable[Text] = ()
    output: str = "log"
    respawn: bool = False
    respawn_delay: float = 0.0
    command: list[str] = field(default_factory=list, init=False)
    label: str = field(default="", init=False)

    def visit(self, context: LaunchContext) -> None:
        """Resolve everything and ask for the start of the process."""
        executable = perform(context, self.executable)
        self.label = perform(context, self.exec_name) if self.exec_name is not None else executable
        self.command = [*shlex.split(perform(context, self.prefix))]
        self.command += find_executable(perform(context, self.package), executable)
        self.command += [perform(context, argument) for argument in self.arguments]
        self.command += ["--ros-args", *(perform(context, argument) for argument in self.ros_arguments)]
        if self.name is not None:
            self.command += ["-r", f"__node:={perform(context, self.name)}"]
        if namespace := perform(context, self.namespace).strip("/"):
            self.command += ["-r", f"__ns:=/{namespace}"]
        for group in self.parameters:
            if isinstance(group, Mapping):
                for key, value in group.items():
                    typed = value if isinstance(value, ParameterValue) else ParameterValue(value)
                    # JSON is YAML, and quotes what YAML would otherwise read as something else.
                    text = json.dumps(typed.evaluate(context), ensure_ascii=False)
                    self.command += ["-p", f"{key}:={text}"]
            else:
                self.command += ["--params-file", str(group)]
        for src, dst in context.remappings:
            self.command += ["-r", f"{src}:={dst}"]
        context.to_start.append(self)


@dataclass(frozen=True, kw_only=True)
class ProcessExited:
    """A process ended."""

    action: Node
    process_name: str  # "sim_node-1"
    returncode: int  # minus the signal, where one ended it
    pid: int

    def visit(self, context: LaunchContext) -> Sequence[Entity]:
        """What the handlers of the launch make of it."""
        return [entity for handler in context.handlers for entity in handler.handle(self, context)]


Reaction = Callable[[ProcessExited, LaunchContext], Entity | Sequence[Entity] | None]


@dataclass(eq=False, kw_only=True)
class OnProcessExit:
    """Run `on_exit` when the process of `target_action`, or any process, ends."""

    on_exit: Reaction | Sequence[Entity]
    target_action: Node | None = None

    def handle(self, event: ProcessExited, context: LaunchContext) -> Sequence[Entity]:
        """The entities to visit because of `event`."""
        if self.target_action is not None and event.action is not self.target_action:
            return ()
        answer = self.on_exit(event, context) if callable(self.on_exit) else self.on_exit
        if answer is None:
            return ()
        return answer if isinstance(answer, Sequence) else (answer,)


class LaunchDescription:
    """A list of things to do."""

    def __init__(self, initial_entities: Sequence[Entity] = ()) -> None:
        self.entities = list(initial_entities)

    def visit(self, context: LaunchContext) -> Sequence[Entity]:
        return self.entities

    def get_launch_arguments(self) -> list[DeclareLaunchArgument]:
        """Every declared argument, those of included files too."""
        found = []
        for entity in self.entities:
            if isinstance(entity, DeclareLaunchArgument):
                found.append(entity)
            elif isinstance(entity, IncludeLaunchDescription):
                found += entity.launch_description_source.description.get_launch_arguments()
        return found


class PythonLaunchDescriptionSource:
    """A launch file by its path."""

    def __init__(self, launch_file_path: str) -> None:
        self.location = launch_file_path

    @cached_property
    def description(self) -> LaunchDescription:
        """What the file's `generate_launch_description` returns; the file is run once."""
        return runpy.run_path(self.location)["generate_launch_description"]()


CONTENT: dict[str, tuple[type, ...]] = {
    "launch": (LaunchContext, LaunchDescription),
    "launch.actions": (
        DeclareLaunchArgument,
        IncludeLaunchDescription,
        OpaqueFunction,
        RegisterEventHandler,
        SetEnvironmentVariable,
        Shutdown,
    ),
    "launch.event_handlers": (OnProcessExit,),
    "launch.events": (),
    "launch.events.process": (ProcessExited,),
    "launch.launch_description_sources": (PythonLaunchDescriptionSource,),
    "launch.substitutions": (LaunchConfiguration,),
    "launch_ros": (),
    "launch_ros.actions": (Node, SetRemap),
    "launch_ros.parameter_descriptions": (ParameterValue,),
}
"""Module -> its classes; parents come first."""


class _Module(ModuleType):
    """A module that says what it lacks."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        valid = ", ".join(sorted(key for key in vars(self) if key[0].isupper())) or "no class"
        raise ImportError(
            f"the pip-only stand-in of {self.__name__!r} has no {name!r}; it has {valid}. "
            "The whole of `launch` comes with a ROS 2 installation."
        )


def install() -> None:
    """Make `import launch` and `import launch_ros` find the stand-in.

    Raises EmbodiedError where ROS's own `launch` is installed: then its `ros2` is the command to use.
    """
    if isinstance(sys.modules.get("launch"), _Module):
        return
    if importlib.util.find_spec("launch_ros") is not None:
        raise EmbodiedError("ROS's own `launch` is installed here: use the `ros2` command that comes with it.")
    for name, classes in CONTENT.items():
        module = sys.modules[name] = _Module(name)
        module.__path__ = []  # a package, so that `import launch.actions` looks into sys.modules
        for cls in classes:
            setattr(module, cls.__name__, cls)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
