# SPDX-License-Identifier: Apache-2.0
"""The `ros2` command against a real node: arguments and output of the real one."""

import re
import signal
from pathlib import Path

import pytest
import yaml

pytest.importorskip("rclpy")

from nodes.ros2.main import main

DEMO = Path(__file__).with_name("demo_node.py")


@pytest.fixture(scope="module")
def demo(ros):
    process = ros.start(str(DEMO))
    process.wait_for("up")
    return process


def test_topic_list_shows_types(ros, demo):
    code, text = ros.run("topic", "list", "-t")
    assert code == 0
    assert "/instruction [std_msgs/msg/String]" in text.splitlines()
    assert "/joint_states [sensor_msgs/msg/JointState]" in text.splitlines()


def test_pub_once_waits_for_the_subscriber_and_arrives(ros, demo):
    code, text = ros.run(
        "topic", "pub", "--once", "/instruction", "std_msgs/msg/String", "{data: 'put the red block down'}"
    )
    assert code == 0
    assert "publisher: beginning loop" in text
    assert "publishing #1: std_msgs.msg.String(data='put the red block down')" in text
    demo.wait_for("heard 'put the red block down'")


def test_pub_without_subscriber_gives_up_when_told(ros, demo):
    code, text = ros.run(
        "topic", "pub", "-1", "--max-wait-time-secs", "0.2", "/nobody", "std_msgs/String", "data: x"
    )
    assert code == 1
    assert "Waiting for at least 1 matching subscription(s)..." in text


def test_pub_a_number_of_times(ros, demo):
    code, text = ros.run(
        "topic", "pub", "-t", "3", "-r", "50", "/instruction", "std_msgs/String", "data: again"
    )
    assert code == 0
    assert "publishing #3" in text
    assert "publishing #4" not in text


def test_echo_gets_what_was_latched_before(ros, demo):
    code, text = ros.run("topic", "echo", "--once", "/status")
    assert code == 0
    # On a busy machine discovery takes its time, and like the real command ours says so first.
    assert text.splitlines()[-2:] == ["data: ready", "---"]


def test_echo_prints_the_whole_message_as_yaml(ros, demo):
    code, text = ros.run("topic", "echo", "--once", "/joint_states")
    assert code == 0
    message = yaml.safe_load(text.removesuffix("---"))
    assert message["name"] == ["a", "b"]
    assert message["position"] == [0.5, 1.5]
    assert message["header"]["stamp"] == {"sec": 0, "nanosec": 0}


def test_echo_of_one_field(ros, demo):
    code, text = ros.run("topic", "echo", "--once", "--field", "header.frame_id", "/joint_states")
    assert code == 0
    assert text.splitlines()[-1] == "---"


def test_hz_reports_until_ctrl_c(ros, demo):
    process = ros.ros2("topic", "hz", "/joint_states")
    process.wait_for("average rate: ")
    process.wait_for("std dev: ")
    process.send(signal.SIGINT)
    assert process.wait() == signal.SIGINT
    assert "Traceback" not in process.text
    rate = float(re.search(r"average rate: ([\d.]+)", process.text)[1])
    assert 0 < rate < 25


def test_topic_info(ros, demo):
    code, text = ros.run("topic", "info", "/status")
    assert code == 0
    assert text.splitlines() == ["Type: std_msgs/msg/String", "Publisher count: 1", "Subscription count: 0"]


def test_node_list_and_info(ros, demo):
    assert ros.run("node", "list") == (0, "/demo")
    code, text = ros.run("node", "info", "/demo")
    assert code == 0
    assert "    /instruction: std_msgs/msg/String" in text.splitlines()
    assert "    /demo/obey: std_srvs/srv/SetBool" in text.splitlines()
    assert text.index("Subscribers:") < text.index("/instruction:") < text.index("Publishers:")


def test_service_list_and_call(ros, demo):
    code, text = ros.run("service", "list", "-t")
    assert code == 0
    assert "/demo/obey [std_srvs/srv/SetBool]" in text.splitlines()
    code, text = ros.run("service", "call", "/demo/obey", "std_srvs/srv/SetBool", "{data: true}")
    assert code == 0
    assert "requester: making request: std_srvs.srv.SetBool_Request(data=True)" in text
    assert "response:\nstd_srvs.srv.SetBool_Response(success=True, message='as you say')" in text


def test_param_get_set_list_dump(ros, demo):
    assert ros.run("param", "get", "/demo", "policy") == (0, "String value is: palme")
    assert ros.run("param", "set", "/demo", "policy", "oracle") == (0, "Set parameter successful")
    assert ros.run("param", "get", "demo", "policy", "--hide-type") == (0, "oracle")
    code, text = ros.run("param", "list", "/demo")
    assert code == 0
    assert {"  count", "  limits.speed", "  policy"} <= set(text.splitlines())
    code, text = ros.run("param", "dump", "/demo")
    assert code == 0
    assert yaml.safe_load(text)["/demo"]["ros__parameters"]["limits"] == {"speed": 0.5}


def test_param_of_the_wrong_type_is_refused_by_the_node(ros, demo):
    code, text = ros.run("param", "set", "/demo", "count", "many")
    assert code == 1
    assert text.startswith("Setting parameter failed: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("topic", "pub", "/x", "std_msgs/msg/Sting"), "Did you mean 'String'?"),
        (("topic", "pub", "/x", "std_mgs/msg/String"), "std_msgs"),
        (("topic", "pub", "/x", "std_msgs/msg/String", "{dta: x}"), "Valid: data"),
        (("topic", "pub", "/x", "std_msgs/msg/String", "{data: 3}"), "'data' is of type string, got 3"),
        (("topic", "pub", "/x", "std_msgs/msg/String", "x"), "dictionary in YAML format"),
        (("service", "call", "/x", "std_srvs/srv/Triger"), "Did you mean 'Trigger'?"),
        (("run", "embodied", "sim_nod"), "Did you mean 'sim_node'?"),
        (("run", "embodid", "sim_node"), "Did you mean 'embodied'?"),
    ],
)
def test_a_wrong_name_gets_the_valid_ones(monkeypatch, capsys, arguments, says):
    # In this process: nothing gets as far as a node. The transport of the other tests stays as it is.
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SYSTEM_DEFAULT")
    assert main(arguments) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("simm.launch.py",), "Valid: agent.launch.py, real.launch.py, sim.launch.py"),
        (("sim.launch.py", "polcy:=oracle"), "Did you mean 'policy'?"),
        (("sim.launch.py", "policy=oracle"), "expected format '<name>:=<value>'"),
        (("sim.launch.py", "gui:=maybe"), "Valid options are: ['true', 'false']"),
        (("sim.launch.py", "exit_on_done:=true"), "needs an instruction"),
    ],
)
def test_a_wrong_launch_argument_starts_nothing(ros, arguments, says):
    code, text = ros.run("launch", "embodied", *arguments)
    assert code == 1
    assert says in text
    assert "Traceback" not in text
    assert "process started" not in text


def test_an_unknown_node_or_topic_lists_what_is_there(ros, demo):
    code, text = ros.run("node", "info", "/dmo")
    assert code == 1
    assert "Did you mean '/demo'?" in text
    code, text = ros.run("topic", "echo", "--once", "/statu")
    assert code == 1
    assert "Did you mean '/status'?" in text
