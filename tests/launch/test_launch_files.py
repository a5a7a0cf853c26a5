# SPDX-License-Identifier: Apache-2.0
"""The launch files as text: what they declare and start, without running them."""

import ast
import dataclasses
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))
ARGUMENTS = {
    "arm", "cell", "joint_prefix", "policy", "checkpoint", "task", "instruction", "seed", "gui", "device", "rate",
    "use_sim_time", "namespace", "params_file", "log_level", "exit_on_done", "policy_options",
}  # fmt: skip


def calls(path, name):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [node for node in found if isinstance(node.func, ast.Name) and node.func.id == name]


def keyword(call, name):
    return next((item.value for item in call.keywords if item.arg == name), None)


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name != "faults.launch.py"], ids=lambda path: path.name
)
def test_every_argument_has_a_default_and_says_what_it_is(path):
    declared = calls(path, "DeclareLaunchArgument")
    assert declared
    for call in declared:
        name = ast.literal_eval(call.args[0])
        assert isinstance(ast.literal_eval(keyword(call, "default_value")), str), name
        description = ast.literal_eval(keyword(call, "description"))
        assert description.endswith("."), f"{name}: {description!r}"


def test_the_arguments_of_the_simulation():
    names = [ast.literal_eval(call.args[0]) for name in ("agent", "sim") for call in
             calls(ROOT / "launch" / f"{name}.launch.py", "DeclareLaunchArgument")]  # fmt: skip
    assert sorted(names) == sorted(ARGUMENTS)


def test_every_executable_is_a_console_script():
    started = {ast.literal_eval(keyword(call, "executable")) for path in FILES for call in calls(path, "Node")}
    assert started == {"supervise", "announce_node"}
    # setup.py makes a console script of every node module that has a `main`.
    for name in ("sim_node", "agent_node", "gate_node", "announce_node"):
        tree = ast.parse((ROOT / "nodes" / f"{name}.py").read_text(encoding="utf-8"))
        assert "main" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_launch_file_imports_launch_and_the_standard_library_first(path):
    """What it needs of this package it imports when it is launched: `ros2 launch --show-args` stays quick."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert not any(isinstance(node, ast.Import) for node in tree.body)
    assert {name.split(".")[0] for name in modules} <= {"launch", "launch_ros", "pathlib"}


def test_the_stand_in_has_what_the_launch_files_import_and_no_more():
    content = importlib.import_module("nodes.ros2.launch_model").CONTENT
    offered = {(module, cls.__name__) for module, classes in content.items() for cls in classes}
    used = set()
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        used |= {
            (node.module, alias.name) for node in imports for alias in node.names if node.module.startswith("launch")
        }
    assert offered == used


# launch_ros 0.26 (Jazzy): Node, and what it hands on to ExecuteProcess.
UPSTREAM = {
    "executable", "package", "name", "namespace", "exec_name", "parameters", "remappings", "ros_arguments", "arguments",
    "output", "output_format", "respawn", "respawn_delay", "respawn_max_retries", "emulate_tty", "prefix", "env",
    "additional_env", "cwd", "shell", "sigterm_timeout", "sigkill_timeout", "on_exit", "condition",
}  # fmt: skip


def test_the_stand_in_takes_no_words_of_its_own():
    node = importlib.import_module("nodes.ros2.launch_model").Node
    assert {field.name for field in dataclasses.fields(node) if field.init} <= UPSTREAM
