# SPDX-License-Identifier: Apache-2.0
"""What node processes load, and how they end when they cannot run as configured."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")


@pytest.mark.parametrize("module", ["nodes.gate_node", "nodes.sim_node", "nodes.agent_node"])
def test_no_node_imports_torch_by_itself(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_gate_knows_no_simulator_and_no_policy() -> None:
    code = (
        "import sys, nodes.gate_node; "
        "print([m for m in sys.modules if m.split('.')[0] in ('sim', 'policies', 'pybullet')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("node", "parameter", "words"),
    [
        ("agent_node", "policy:=colour_blobb", "Did you mean 'colour_blob'?"),
        ("agent_node", "policy_options:='{'", "policy_options is no JSON"),
        ("agent_node", "device:=cuda", "unknown option of policy colour_blob 'device'"),
        ("agent_node", "arm:=pandaa", "Did you mean 'panda'?"),
        ("agent_node", "policy:=oracle", "reads the simulator's truth"),
        ("agent_node", "policy:=json:JSONDecoder", "JSONDecoder lacks reset() and decide()"),
        ("agent_node", "max_observation_age_s:=soon", "max_observation_age_s"),
        ("sim_node", "arm:=no_such.yaml", "no description of an arm in no_such.yaml"),
        ("gate_node", "arm:=pandaa", "Did you mean 'panda'?"),
        ("sim_node", "task:=stak", "Did you mean 'stack'?"),
        ("sim_node", "cameras:=['front','ceiling']", "unknown camera 'ceiling'"),
        ("gate_node", "workspace_lower_m:=[0.0, 1.0]", "workspace_lower_m must be three numbers"),
    ],
)
def test_what_the_user_got_wrong_ends_the_node_with_a_clear_error(
    ros: Any, node: str, parameter: str, words: str
) -> None:
    process = ros.start("-m", f"nodes.{node}", "--ros-args", "-p", "policy:=colour_blob", "-p", parameter)
    assert process.wait() == 2
    errors = [line for line in process.lines if line.startswith("error: ")]
    assert len(errors) == 1, process.text
    assert words in errors[0]
    assert "Traceback" not in process.text


FILES = {
    "broken": "gate_node: {ros__parameters: {heartbeat_timeout_s: 0.5",
    "no YAML": "\x00\x01 {",
    "without ros__parameters": "gate_node:\n  heartbeat_timeout_s: 0.5\n",
    "text for a number": "/**: {ros__parameters: {heartbeat_timeout_s: soon}}",
    "a list for a number": "/**: {ros__parameters: {heartbeat_timeout_s: [0.5]}}",
    "out of range": "/**: {ros__parameters: {heartbeat_timeout_s: 99}}",
    "integers among numbers": "/**: {ros__parameters: {workspace_lower_m: [0, -1.0, 0]}}",
    "a list too short": "/**: {ros__parameters: {workspace_lower_m: [0, 1]}}",
    "a number for a switch": "/**: {ros__parameters: {use_sim_time: 1}}",
}


def supervised(ros: Any, *arguments: str) -> Any:
    return ros.start("-m", "nodes.process", "nodes.supervise", "gate", "--ros-args", *arguments)


def errors(process: Any) -> list[str]:
    assert "Traceback" not in process.text
    return [line for line in process.lines if line.startswith("error: ")]


@pytest.mark.parametrize("what", FILES)
def test_a_wrong_params_file_ends_the_node_at_once_with_one_line(ros: Any, tmp_path: Path, what: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(FILES[what])
    process = supervised(ros, "--params-file", str(path))
    assert process.wait() == 2
    (line,) = errors(process)
    assert any(part in line for part in ("params.yaml", "heartbeat_timeout_s", "workspace_lower_m", "use_sim_time"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--params-file", "/no/such/file.yaml"), "a params file reads gate_node: {ros__parameters:"),
        (("-r", "__ns:=/1left"), "a namespace is /"),
        (("-r", "__ns:=left"), "a namespace is /"),
        (("-p", "rate"), "a parameter is given as -p"),
        (("--no-such-option",), "unknown ROS arguments ['--no-such-option']"),
        (("--log-level", "loud"), "valid severity level"),
    ],
)
def test_wrong_arguments_end_the_node_at_once_with_one_line(ros: Any, arguments: tuple[str, ...], words: str) -> None:
    process = supervised(ros, *arguments)
    assert process.wait() == 2
    (line,) = errors(process)
    assert words in line


def test_without_a_home_the_line_says_what_to_set(ros: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ros.env, "HOME", raising=False)
    for process in (supervised(ros), ros.start("-m", "nodes.process", "nodes.announce_node")):
        assert process.wait() == 2
        (line,) = errors(process)
        assert "set HOME, or ROS_LOG_DIR" in line


def test_a_module_that_is_missing_ends_the_node_at_once_with_one_line(
    ros: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "std_srvs").mkdir()  # hides the real one, and is empty
    (tmp_path / "std_srvs" / "__init__.py").touch()
    monkeypatch.setitem(ros.env, "PYTHONPATH", f"{tmp_path}{os.pathsep}{ros.env['PYTHONPATH']}")
    process = supervised(ros)
    assert process.wait() == 2
    (line,) = errors(process)
    assert "gate_node lacks a part: No module named 'std_srvs.srv'; install what is missing" in line


def test_an_integer_is_a_number_and_an_unknown_name_is_named(ros: Any, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("/**: {ros__parameters: {heartbeat_timeout_s: 1, workspace_lower_m: [0, -1, 0], heartbeat: 3}}")
    process = supervised(ros, "--params-file", str(path))
    process.wait_for("'heartbeat'. Did you mean 'heartbeat_timeout_s'?")
    assert ros.run("param", "get", "/gate_node", "heartbeat_timeout_s") == (0, "Double value is: 1.0")
    code, text = ros.run("param", "get", "/gate_node", "workspace_lower_m")
    assert code == 0
    assert "[0.0, -1.0, 0.0]" in text
    process.send(signal.SIGINT)
    assert process.wait() == 0


def test_nothing_in_the_current_folder_hides_the_nodes(ros: Any, tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "__init__.py").write_text("raise RuntimeError('hidden')")
    code = "import sys; sys.argv[1:] = ['gate']; from nodes.supervise import main; main()"
    process = ros.start("-P", "-c", code, cwd=tmp_path)
    time.sleep(1.0)
    process.send(signal.SIGINT)
    assert process.wait() == 0, process.text


@pytest.mark.parametrize("delay_s", [0.2, 0.25, 0.3, 0.5])
def test_ctrl_c_while_a_node_starts_is_quiet(ros: Any, delay_s: float) -> None:
    process = supervised(ros)
    time.sleep(delay_s)
    for _ in range(3):
        process.send(signal.SIGINT)
    assert process.wait() == 0
    assert process.lines == []


def test_a_second_simulator_is_refused_and_one_in_place_of_a_killed_one_is_not(ros: Any) -> None:
    first = ros.start("-m", "nodes.sim_node")
    first.wait_for("ready: playground")
    second = ros.start("-m", "nodes.sim_node", "--ros-args", "-r", "__ns:=/left")
    assert second.wait() == 2
    (line,) = errors(second)
    assert "another simulator tells the time on /clock" in line
    assert "ROS_DOMAIN_ID" in line
    first.send(signal.SIGKILL)
    first.wait()
    third = ros.start("-m", "nodes.sim_node")
    third.wait_for("ready: playground")
    third.send(signal.SIGINT)
    assert third.wait() == 0
