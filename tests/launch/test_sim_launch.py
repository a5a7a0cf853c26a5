# SPDX-License-Identifier: Apache-2.0
"""The whole graph as a user starts it: real nodes, real kills."""

import os
import signal

import pytest

pytest.importorskip("pybullet")

SAY = "import sys; from nodes.say import say; sys.exit(say(sys.argv[1]))"


@pytest.fixture(scope="module")
def graph(ros):
    process = ros.ros2("launch", "embodied", "sim.launch.py", "policy:=colour_blob")
    process.wait_for("The graph is ready.")
    return process


def newest_pid(graph, node):
    lines = [line for line in graph.lines if f"[{node}-" in line and "process started with pid" in line]
    return int(lines[-1].split("[")[-1].rstrip("]")), len(lines)


def test_it_does_what_it_is_told(ros, graph):
    said = ros.start("-c", SAY, "touch the red block")
    assert said.wait() == 0, said.text
    assert "plan: touch red block" in said.text


def test_it_refuses_what_is_not_there(ros, graph):
    said = ros.start("-c", SAY, "put the orange block in the green bowl")
    assert said.wait() == 1
    assert "I see no orange block; I see: " in said.text
    assert "moving" not in said.text


def test_words_that_stop_end_what_is_under_way(ros, graph):
    moving = ros.start("-c", SAY, "put the yellow block in the white bowl")
    moving.wait_for("moving: ")
    stop = ros.start("-c", SAY, "STOP!")
    assert stop.wait() == 0, stop.text
    assert stop.lines[-1] == "stopped: stopped"
    assert moving.wait() == 1
    assert moving.lines[-1] == "stopped: stopped"


@pytest.mark.parametrize("node", ["gate_node", "agent_node", "sim_node"])
def test_a_node_killed_in_the_middle_of_a_motion_is_started_again_and_the_graph_goes_on(ros, graph, wait_until, node):
    interrupted = ros.start("-c", SAY, "touch the blue block")
    interrupted.wait_for("moving: touch blue block")
    pid, starts = newest_pid(graph, node)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: newest_pid(graph, node)[1] == starts + 1)
    interrupted.wait()  # done after all, or not: but it comes to an end
    said = ros.start("-c", SAY, "touch the yellow block")
    assert said.wait() == 0, said.text + "\n" + graph.text


def test_ctrl_c_ends_every_node(graph):
    pids = [newest_pid(graph, node)[0] for node in ("sim_node", "agent_node", "gate_node")]
    graph.send(signal.SIGINT)
    assert graph.wait() == 0
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []
    assert "escalating" not in graph.text


def test_a_launch_with_an_instruction_ends_with_its_outcome(ros):
    arguments = ("policy:=colour_blob", "exit_on_done:=true", "namespace:=left")
    code, text = ros.run("launch", "embodied", "sim.launch.py", "instruction:=touch the red block", *arguments)
    assert code == 0, text
    assert "] done" in text
    code, text = ros.run("launch", "embodied", "sim.launch.py", "instruction:=sing a song", *arguments)
    assert code == 1
    assert "] refused: " in text


def test_an_emergency_stop_outlives_its_launch_until_it_is_resumed(ros):
    arguments = ("launch", "embodied", "sim.launch.py", "policy:=colour_blob", "namespace:=kept")
    resume = "ros2 service call /kept/gate_node/resume std_srvs/srv/Trigger"
    stopped = f"STOPPED: the emergency stop is latched, and nothing moves until you call {resume}"
    for service, is_stopped in (("stop", False), ("resume", True), ("resume", False)):
        launch = ros.ros2(*arguments)
        launch.wait_for("The graph is ready.")
        assert (stopped in launch.text) is is_stopped, launch.text
        code, text = ros.run("service", "call", f"/kept/gate_node/{service}", "std_srvs/srv/Trigger")
        assert code == 0, text
        launch.send(signal.SIGINT)
        assert launch.wait() == 0


def test_what_cannot_run_ends_the_launch_and_lists_the_valid_names(ros):
    code, text = ros.run("launch", "embodied", "sim.launch.py", "policy:=colour_blob", "task:=stak")
    assert code == 1
    assert "Did you mean 'stack'?" in text
    assert "sim_node-4 cannot run as it was configured" in text


def test_real_launch_starts_agent_and_gate_on_the_topics_of_the_arm(ros, wait_until):
    arguments = ("joint_states:=/franka/joint_states", "trajectory:=/franka/jtc/joint_trajectory")
    cameras = ("front_camera:=/realsense", "wrist_camera:=/hand")
    launch = ros.ros2("launch", "embodied", "real.launch.py", "policy:=colour_blob", *arguments, *cameras)
    launch.wait_for("ready: policy colour_blob")
    theirs = {"/franka/joint_states", "/franka/jtc/joint_trajectory", "/realsense/image_raw"}
    wait_until(lambda: theirs <= set(ros.run("topic", "list")[1].split()))
    assert "/joint_states" not in ros.run("topic", "list")[1].split()
    assert ros.run("param", "get", "/agent_node", "use_sim_time") == (0, "Boolean value is: False")
    assert "sim_node" not in launch.text
    assert "The graph is ready" not in launch.text, "there is no arm"
    launch.send(signal.SIGINT)
    assert launch.wait() == 0
