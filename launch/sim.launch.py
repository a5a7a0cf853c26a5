# SPDX-License-Identifier: Apache-2.0
"""A simulated arm at its table, with the agent and the gate: `ros2 launch embodied sim.launch.py`."""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, SetRemap
from launch_ros.parameter_descriptions import ParameterValue


def generate_launch_description() -> LaunchDescription:
    """The simulator's arguments, what every arm shares, and the simulator."""
    from nodes.launch_support import refuse_unknown

    actions = [
        DeclareLaunchArgument(
            "task", default_value="playground", description="Scene on the table; `embodied tasks` lists them."
        ),
        DeclareLaunchArgument("seed", default_value="0", description="Seed of the scene, 0 or more."),
        DeclareLaunchArgument(
            "gui", default_value="false", description="Open PyBullet's window.", choices=["true", "false"]
        ),
        DeclareLaunchArgument(
            "rate", default_value="1.0", description="Simulated seconds in one second; 0 is as fast as the machine can."
        ),
        SetRemap("/clock", "clock"),  # simulators in two namespaces have two times
        IncludeLaunchDescription(PythonLaunchDescriptionSource(str(Path(__file__).with_name("agent.launch.py")))),
        OpaqueFunction(function=start),
    ]
    valid = [argument.name for argument in LaunchDescription(actions).get_launch_arguments()]
    return LaunchDescription([OpaqueFunction(function=refuse_unknown, args=[valid, __file__]), *actions])


def start(context: LaunchContext) -> list[Node]:
    """The simulator, once the arguments are known."""

    def given(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    types = {"arm": str, "cell": str, "task": str, "seed": int, "gui": bool, "rate": float}
    parameters = {name: ParameterValue(LaunchConfiguration(name), value_type=cls) for name, cls in types.items()}
    params_file = [given("params_file")] if given("params_file") else []
    return [
        Node(
            package="embodied",
            executable="supervise",
            # Less urgent than the gate: a busy machine must not make that one late.
            arguments=["sim", "--bound", "--nice", "2"],
            exec_name="sim_node",
            prefix="env --block-signal=INT",
            namespace=given("namespace"),
            parameters=[parameters, *params_file],
            ros_arguments=["--log-level", given("log_level")],
            output="screen",
            respawn=True,
            respawn_delay=0.5,
        )
    ]
