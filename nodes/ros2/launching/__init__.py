# SPDX-License-Identifier: Apache-2.0
"""What the launch files of this package need of ROS's `launch` and `launch_ros`, under their real names.

It is used by `nodes.ros2` alone, and only where ROS's own `launch` is absent: `install` puts the modules into
`sys.modules`, so nothing on disk can shadow a real installation.
"""

import importlib.util
import sys
from types import ModuleType

from embodied.errors import EmbodiedError
from nodes.ros2.launching import actions, description, events, ros, substitutions
from nodes.ros2.launching.context import LaunchContext

CONTENT: dict[str, tuple[object, ...]] = {
    "launch": (LaunchContext, description.LaunchDescription),
    "launch.actions": (
        actions.DeclareLaunchArgument,
        actions.IncludeLaunchDescription,
        actions.OpaqueFunction,
        actions.RegisterEventHandler,
        actions.SetEnvironmentVariable,
        actions.Shutdown,
    ),
    "launch.event_handlers": (events.OnProcessExit,),
    "launch.events": (),
    "launch.events.process": (events.ProcessExited,),
    "launch.launch_description_sources": (description.PythonLaunchDescriptionSource,),
    "launch.substitutions": (substitutions.LaunchConfiguration,),
    "launch_ros": (),
    "launch_ros.actions": (ros.Node, ros.SetRemap),
    "launch_ros.parameter_descriptions": (ros.ParameterValue,),
}


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
        raise EmbodiedError(
            "ROS's own `launch` is installed here: use the `ros2` command that comes with it."
        )
    for name, classes in CONTENT.items():
        module = _Module(name)
        module.__path__ = []  # a package, so that `import launch.actions` looks into sys.modules
        for cls in classes:
            setattr(module, cls.__name__, cls)  # type: ignore[attr-defined]
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
