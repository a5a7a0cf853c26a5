# SPDX-License-Identifier: Apache-2.0
"""The `ros2` command against a real node: arguments and output of the real one."""

import re
import signal
import subprocess
import sys
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


def test_pub_goes_on_at_its_rate_until_ctrl_c(ros, demo):
    process = ros.ros2("topic", "pub", "-r", "50", "/instruction", "std_msgs/String", "data: again")
    process.wait_for("publishing #3")
    process.send(signal.SIGINT)
    assert process.wait() == signal.SIGINT
    assert "Traceback" not in process.text


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


def test_hz_reports_until_ctrl_c(ros, demo):
    process = ros.ros2("topic", "hz", "/joint_states")
    process.wait_for("average rate: ")
    process.wait_for("std dev: ")
    process.send(signal.SIGINT)
    assert process.wait() == signal.SIGINT
    assert "Traceback" not in process.text
    rate = float(re.search(r"average rate: ([\d.]+)", process.text)[1])
    assert 0 < rate < 25


def test_a_reader_that_leaves_ends_echo_without_a_traceback(ros, demo):
    command = [sys.executable, "-m", "nodes.ros2.main", "topic", "echo", "/joint_states"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=ros.env, cwd=DEMO.parents[2], text=True, **streams) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(60.0) == 1
        assert process.stderr.read() == ""


def test_node_list(ros, demo):
    assert ros.run("node", "list") == (0, "/demo")


def test_service_call(ros, demo):
    code, text = ros.run("service", "call", "/demo/obey", "std_srvs/srv/SetBool", "{data: true}")
    assert code == 0
    assert "requester: making request: std_srvs.srv.SetBool_Request(data=True)" in text
    assert "response:\nstd_srvs.srv.SetBool_Response(success=True, message='as you say')" in text


def test_param_get_set_list(ros, demo):
    assert ros.run("param", "get", "/demo", "policy") == (0, "String value is: palme")
    assert ros.run("param", "set", "/demo", "policy", "oracle") == (0, "Set parameter successful")
    assert ros.run("param", "get", "demo", "policy") == (0, "String value is: oracle")
    assert ros.run("param", "get", "/demo", "names") == (0, "String values are: ['a', 'b']")
    code, text = ros.run("param", "list", "/demo")
    assert code == 0
    assert {"  count", "  limits.speed", "  policy"} <= set(text.splitlines())


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
    ("arguments", "valid"),
    [
        (("pkg", "list"), "'launch', 'run', 'topic', 'node', 'service', 'param'"),
        (("topic", "info", "/x"), "'list', 'pub', 'echo', 'hz'"),
        (("node", "info", "/x"), "'list'"),
        (("service", "list"), "'call'"),
        (("param", "dump", "/x"), "'list', 'get', 'set'"),
    ],
)
def test_a_command_that_the_stand_in_lacks_gets_the_valid_ones(monkeypatch, capsys, arguments, valid):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SYSTEM_DEFAULT")
    with pytest.raises(SystemExit):
        main(arguments)
    assert f"(choose from {valid})" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("simm.launch.py",), "Valid: agent.launch.py, faults.launch.py, real.launch.py, sim.launch.py"),
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


def test_show_args_lists_arguments_defaults_and_choices(ros):
    code, text = ros.run("launch", "embodied", "sim.launch.py", "--show-args")
    assert code == 0
    assert "    'gui':" in text.splitlines()
    assert "Valid choices are: ['true', 'false']" in text
    assert "(default: 'playground')" in text


def test_an_unknown_node_or_topic_lists_what_is_there(ros, demo):
    code, text = ros.run("param", "get", "/dmo", "policy")
    assert code == 1
    assert "Did you mean '/demo'?" in text
    code, text = ros.run("topic", "echo", "--once", "/statu")
    assert code == 1
    assert "Did you mean '/status'?" in text
