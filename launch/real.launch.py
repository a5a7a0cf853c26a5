# SPDX-License-Identifier: Apache-2.0
"""The same agent and gate in front of a real arm: `ros2 launch embodied real.launch.py`.

The arm, its ros2_control controllers and its cameras are started elsewhere. The arguments here say under
which topics they are found.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import SetRemap

CAMERA_TOPICS = ("depth", "camera_info", "pose")


def generate_launch_description() -> LaunchDescription:
    """Where the arm is found, and what every arm shares."""
    from nodes.launch_support import refuse_unknown

    actions = [
        DeclareLaunchArgument(
            "joint_states",
            default_value="joint_states",
            description="Topic of the joint states (sensor_msgs/msg/JointState).",
        ),
        DeclareLaunchArgument(
            "trajectory",
            default_value="arm_controller/joint_trajectory",
            description="Topic of the JointTrajectoryController (trajectory_msgs/msg/JointTrajectory).",
        ),
        DeclareLaunchArgument(
            "gripper",
            default_value="gripper_controller/commands",
            description="Topic of the gripper's controller (std_msgs/msg/Float64MultiArray, one width in m).",
        ),
        DeclareLaunchArgument(
            "front_camera",
            default_value="camera/front",
            description="Name before the front camera's picture, depth, camera_info and pose.",
        ),
        DeclareLaunchArgument(
            "front_picture",
            default_value="image_raw",
            description="Name of the front camera's picture behind that; one that is rectified begins with image_rect.",
        ),
        DeclareLaunchArgument(
            "wrist_camera",
            default_value="camera/wrist",
            description="Name before the wrist camera's picture, depth, camera_info and pose.",
        ),
        DeclareLaunchArgument(
            "wrist_picture",
            default_value="image_raw",
            description="Name of the wrist camera's picture behind that; one that is rectified begins with image_rect.",
        ),
        SetRemap("joint_states", LaunchConfiguration("joint_states")),
        SetRemap("arm_controller/joint_trajectory", LaunchConfiguration("trajectory")),
        SetRemap("gripper_controller/commands", LaunchConfiguration("gripper")),
        *(
            SetRemap(f"camera/{name}/{topic}", [LaunchConfiguration(f"{name}_camera"), f"/{topic}"])
            for name in ("front", "wrist")
            for topic in CAMERA_TOPICS
        ),
        *(
            SetRemap(
                f"camera/{name}/image_raw",
                [LaunchConfiguration(f"{name}_camera"), "/", LaunchConfiguration(f"{name}_picture")],
            )
            for name in ("front", "wrist")
        ),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(Path(__file__).with_name("agent.launch.py"))),
            launch_arguments=[("use_sim_time", "false")],
        ),
    ]
    valid = [argument.name for argument in LaunchDescription(actions).get_launch_arguments()]
    return LaunchDescription([OpaqueFunction(function=refuse_unknown, args=[valid, __file__]), *actions])
