# SPDX-License-Identifier: Apache-2.0
"""Messages from YAML and back."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from embodied.errors import EmbodiedError

pytest.importorskip("rclpy")

from nodes.ros2.interfaces import fill, get_interface, to_plain, to_yaml


@given(st.lists(st.floats(allow_nan=False), max_size=8), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_message_survives_yaml(values, text):
    cls = get_interface("sensor_msgs/msg/JointState", "msg")
    message = cls(name=[text], position=values)
    assert fill(cls(), to_yaml(message, full=True)) == message


def test_nested_messages_and_sequences_of_them():
    cls = get_interface("trajectory_msgs/JointTrajectory", "msg")
    point = "{positions: [1, 2], time_from_start: {sec: 3}}"
    text = f"{{header: {{frame_id: base}}, joint_names: [a], points: [{point}]}}"
    message = fill(cls(), text)
    assert message.header.frame_id == "base"
    assert list(message.points[0].positions) == [1.0, 2.0]
    assert message.points[0].time_from_start.sec == 3
    assert to_plain(message)["points"][0]["positions"] == [1.0, 2.0]


def test_long_arrays_are_cut_unless_asked_for():
    message = get_interface("sensor_msgs/msg/Image", "msg")(data=bytes(200))
    assert len(yaml.safe_load(to_yaml(message))["data"]) == 129
    assert yaml.safe_load(to_yaml(message))["data"][-1] == "..."
    assert len(yaml.safe_load(to_yaml(message, full=True))["data"]) == 200


@pytest.mark.parametrize("name", ["String", "std_msgs", "a/b/c/d", "std_msgs/srv/String", "../x/y", "std_msgs//"])
def test_what_is_no_type_is_refused(name):
    with pytest.raises(EmbodiedError, match=r"std_msgs/msg/String|Valid"):
        get_interface(name, "msg")


def test_fixed_arrays_need_their_length():
    with pytest.raises(EmbodiedError, match="'k' is of type"):
        fill(get_interface("sensor_msgs/msg/CameraInfo", "msg")(), "{k: [1, 2]}")
