# SPDX-License-Identifier: Apache-2.0
"""sim.launch.py with the saboteur between simulator, agent and gate: what each of them says goes to raw/ first."""

from launch import LaunchDescription  # type: ignore[attr-defined]  # our folder of that name hides it
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import SetRemap

from nodes.faults.streams import STREAMS
from nodes.ros2.packages import launch_file


def generate_launch_description() -> LaunchDescription:
    """The same graph, with other names where its nodes speak."""
    sim = PythonLaunchDescriptionSource(str(launch_file("embodied", "sim.launch.py")))
    remaps = [SetRemap(f"{stream.speaker}:{stream.topic}", stream.raw) for stream in STREAMS]
    return LaunchDescription([*remaps, IncludeLaunchDescription(sim)])
