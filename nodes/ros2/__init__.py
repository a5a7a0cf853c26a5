# SPDX-License-Identifier: Apache-2.0
"""A small `ros2` command for where ROS 2 comes from PyPI, which has no `ros2cli` and no `launch`."""
