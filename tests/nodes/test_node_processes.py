# SPDX-License-Identifier: Apache-2.0
"""What node processes load, and how they end when they cannot run as configured."""

import subprocess
import sys
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
