# SPDX-License-Identifier: Apache-2.0
"""The whole graph as a user starts it: real nodes, real kills."""

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("pybullet")

SAY = "import sys; from nodes.say import say; sys.exit(say(sys.argv[1]))"


@pytest.fixture(scope="module")
def graph(ros):
    process = ros.ros2("launch", "embodied", "sim.launch.py", "policy:=colour_blob")
    process.wait_for("The graph is ready.")
    return process


def supervisor_pid(graph, node):
    lines = [line for line in graph.lines if f"[{node}-" in line and "process started with pid" in line]
    return int(lines[-1].split("[")[-1].rstrip("]"))


def node_pid(graph, node):
    """The process of the node itself; 0 while there is none."""
    supervisor = supervisor_pid(graph, node)
    try:
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        found = [pid for pid in children if f"nodes.{node}" in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
    except OSError:
        return 0
    return int(found[0]) if found else 0


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


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def goes_on(ros, graph):
    """A new instruction is done; and what was under way before has not gone on by itself.

    A machine that stands still for a third of a second makes the gate stop the arm, and a gate that was started in the
    midst of a proposal is silent about it: then it is said again.
    """
    for _ in range(3):
        said = ros.start("-c", SAY, "touch the yellow block")
        if said.wait() == 0:
            return
        assert "silent" in said.text, said.text + "\n" + graph.text
    pytest.fail(said.text + "\n" + graph.text)


NODES = ["gate_node", "agent_node", "sim_node"]


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_node_that_dies_or_hangs_in_the_middle_of_a_motion_is_started_again(ros, graph, wait_until, node, how):
    interrupted = ros.start("-c", SAY, "touch the blue block")
    interrupted.wait_for("moving: touch blue block")
    pid, seen = node_pid(graph, node), len(graph.lines)
    os.kill(pid, how)
    wait_until(lambda: node_pid(graph, node) not in (0, pid))
    what = "died of SIGKILL" if how == signal.SIGKILL else "gave no sign of life for"
    graph.wait_for(f"[{node}-", after=seen)
    assert [line for line in graph.lines[seen:] if f"{node} {what}" in line]
    interrupted.wait()  # done after all, or not: but it comes to an end
    goes_on(ros, graph)
    assert not alive(pid)


@pytest.mark.parametrize("node", NODES)
def test_a_supervisor_that_is_killed_takes_its_node_along_and_both_come_back(ros, graph, wait_until, node):
    supervisor, pid = supervisor_pid(graph, node), node_pid(graph, node)
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: supervisor_pid(graph, node) != supervisor and node_pid(graph, node))
    assert not alive(pid)
    goes_on(ros, graph)


def test_ctrl_c_ends_every_node(graph):
    pids = [pid_of(graph, node) for node in NODES for pid_of in (supervisor_pid, node_pid)]
    assert all(pids)
    graph.send(signal.SIGINT)
    assert graph.wait() == 0
    assert [pid for pid in pids if alive(pid)] == []
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
    cameras = ("front_camera:=/realsense", "front_picture:=image_rect_color", "wrist_camera:=/hand")
    own = ("policy:=colour_blob", "joint_prefix:=left_")
    launch = ros.ros2("launch", "embodied", "real.launch.py", *own, *arguments, *cameras)
    launch.wait_for("ready: policy colour_blob")
    theirs = {"/franka/joint_states", "/franka/jtc/joint_trajectory", "/realsense/image_rect_color"}
    wait_until(lambda: theirs <= set(ros.run("topic", "list")[1].split()))
    assert "/joint_states" not in ros.run("topic", "list")[1].split()
    assert ros.run("param", "get", "/agent_node", "use_sim_time") == (0, "Boolean value is: False")
    for node in ("/agent_node", "/gate_node"):
        assert ros.run("param", "get", node, "joint_prefix") == (0, "String value is: left_")
    assert "sim_node" not in launch.text
    assert "The graph is ready" not in launch.text, "there is no arm"
    launch.wait_for("waiting: nobody publishes /franka/joint_states: start the arm's driver")
    launch.send(signal.SIGINT)
    assert launch.wait() == 0


def test_simulators_in_two_namespaces_have_two_clocks(ros, tmp_path):
    # Two simulators, two cores and the tests beside them: at less than half the rate each has the time it needs, and a
    # node may be held up for longer than 0.3 s while the other graph starts.
    patience = tmp_path / "patience.yaml"
    patience.write_text("/**/gate_node: {ros__parameters: {heartbeat_timeout_s: 1.5, joint_states_timeout_s: 1.5}}\n")
    arguments = ("launch", "embodied", "sim.launch.py", "policy:=colour_blob", "exit_on_done:=true", "rate:=0.4")
    arguments += (f"params_file:={patience}",)
    both = [ros.ros2(*arguments, f"namespace:={name}", "instruction:=touch the red block") for name in ("one", "two")]
    assert [launch.wait() for launch in both] == [0, 0], both[0].text + both[1].text


def test_a_cell_is_the_place_of_the_simulator_of_the_agent_and_of_the_gate(ros, tmp_path):
    cell = tmp_path / "cell.yaml"
    cell.write_text("workspace_lower_m: [0.2, -0.5, 0.0]\nkeep_out: {lamp: [0.7, 0.5, 0.0, 0.8, 0.6, 0.9]}\n")
    launch = ros.ros2("launch", "embodied", "sim.launch.py", "policy:=colour_blob", f"cell:={cell}")
    launch.wait_for("The graph is ready.")
    for node in NODES:
        assert ros.run("param", "get", f"/{node}", "cell") == (0, f"String value is: {cell}")
    code, text = ros.run("param", "get", "/gate_node", "workspace_lower_m")
    assert (code, "0.2" in text) == (0, True), text
    launch.send(signal.SIGINT)
    assert launch.wait() == 0


WRONG = ["namespace:=1left", "params_file:=/no/such/file.yaml", "policy:=no_such:Policy", "cell:=/no/such/cell.yaml"]


@pytest.mark.parametrize("argument", WRONG)
def test_what_cannot_be_right_ends_the_launch_and_starts_nothing_again(ros, argument):
    code, text = ros.run("launch", "embodied", "sim.launch.py", "policy:=colour_blob", argument)
    assert code == 1
    assert "started again" not in text
    assert "Traceback" not in text
    assert "error: " in text
