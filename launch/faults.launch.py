# SPDX-License-Identifier: Apache-2.0
"""sim.launch.py with a saboteur between simulator, agent and gate, for `embodied faults`: what each says is raw/ first.

Arguments are those of sim.launch.py.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import SetRemap


def generate_launch_description() -> LaunchDescription:
    """The same graph, with other names where its nodes speak."""
    from nodes.faults.streams import STREAMS

    sim = PythonLaunchDescriptionSource(str(Path(__file__).with_name("sim.launch.py")))
    remaps = [SetRemap(f"{stream.speaker}:{stream.topic}", stream.raw) for stream in STREAMS]
    return LaunchDescription([*remaps, IncludeLaunchDescription(sim)])
