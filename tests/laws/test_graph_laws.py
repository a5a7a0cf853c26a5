# SPDX-License-Identifier: Apache-2.0
"""An arm of one's own and a policy of one's own go through the real graph, with no edit elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from embodied.arm import ROBOTS, arm_model
from sim.tasks import make_task

SAY = "import sys; from nodes.say import say; sys.exit(say(sys.argv[1]))"
# On a machine that is busy with other things a living node may be silent for longer than the defaults allow.
PATIENT = """
/**:
  ros__parameters:
    heartbeat_timeout_s: 1.5
    joint_states_timeout_s: 1.5
    max_observation_age_s: 2.0
"""

POLICIES = '''
"""A policy that always touches one place, and one that hears other words for what another policy does."""

from dataclasses import replace

import numpy as np

from embodied.motion.skills import SkillCall
from embodied.policy import make_policy
from embodied.types import Decision


class MyPolicy:
    needs = ()  # no camera

    def reset(self, instruction, seed=None):
        pass

    def decide(self, observation):
        motion = SkillCall(skill="touch", points_m=np.array([PLACE]))
        return Decision(text="touch my place", motion=motion, observation_stamp_s=observation.stamp_s)


class Slang:
    def __init__(self):
        self.policy = make_policy("colour_blob")
        self.needs = self.policy.needs

    def reset(self, instruction, seed=None):
        text = instruction.text.replace("bother the crimson one", "touch the red block")
        self.policy.reset(replace(instruction, text=text), seed)

    def decide(self, observation):
        return self.policy.decide(observation)


class Nothing:
    """No policy."""
'''


@contextmanager
def graph(ros: Any, folder: Path, *arguments: str) -> Iterator[Any]:
    """The simulated graph, launched in `folder`."""
    (folder / "patient.yaml").write_text(PATIENT)
    launch = ros.ros2("launch", "embodied", "sim.launch.py", "params_file:=patient.yaml", *arguments, cwd=folder)
    try:
        launch.wait_for("The graph is ready.")
        yield launch
    finally:
        launch.end()


def obeys(ros: Any, text: str) -> dict[str, Any]:
    """Say `text`, which must be done; returns what the simulator makes of it."""
    said = ros.start("-c", SAY, text)
    assert said.wait() == 0, said.text
    code, answer = ros.run("service", "call", "/sim_node/score", "std_srvs/srv/Trigger")
    assert code == 0, answer
    score: dict[str, Any] = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
    return score


def six_joint_arm(folder: Path) -> Path:
    """The Panda without its third joint, under other names and with shorter fingers."""
    urdf = (ROBOTS / "panda.urdf").read_text().replace("panda_", "left_")
    for ours, theirs in (
        ('name="left_joint3" type="revolute"', 'name="left_joint3" type="fixed"'),
        ('<box size="0.018 0.009 0.032"/>', '<box size="0.018 0.009 0.022"/>'),
        ("0.0045 0.038", "0.0045 0.033"),
        ('xyz="0 0 0.105"', 'xyz="0 0 0.095"'),
    ):
        assert ours in urdf, ours
        urdf = urdf.replace(ours, theirs)
    (folder / "left.urdf").write_text(urdf)
    described = (ROBOTS / "panda.yaml").read_text().replace("panda", "left")
    without_third = r"\1: [\2, \3,"
    described = re.sub(r"(home_rad|max_.*_s2): \[([^,]+), ([^,]+), [^,]+,", without_third, described)
    (folder / "left.yaml").write_text(described)
    return folder / "left.yaml"


def test_an_arm_of_ones_own_obeys(ros: Any, tmp_path: Path) -> None:
    path = six_joint_arm(tmp_path)
    model = arm_model(str(path))
    assert model.joints == 6
    assert not set(model.joint_names) & set(arm_model("panda").joint_names)
    episode = make_task("pick_up").sample(np.random.default_rng(0))
    arguments = (f"arm:={path}", "policy:=colour_blob", "task:=pick_up", "seed:=0")
    with graph(ros, tmp_path, *arguments):
        [noun] = episode.plan.nouns
        assert obeys(ros, f"pick up the {noun}")["is_success"]


def test_the_other_arm_that_is_shipped_obeys(ros: Any, tmp_path: Path) -> None:
    arguments = ("arm:=ur5e", "policy:=colour_blob", "task:=pick_up", "seed:=0")
    with graph(ros, tmp_path, *arguments):
        [noun] = make_task("pick_up").sample(np.random.default_rng(0)).plan.nouns
        assert obeys(ros, f"pick up the {noun}")["is_success"]


def test_a_policy_of_ones_own_obeys(ros: Any, tmp_path: Path) -> None:
    [red] = [o for o in make_task("playground").sample(np.random.default_rng(0)).objects if o.name == "red block"]
    (tmp_path / "my_policy.py").write_text(POLICIES.replace("PLACE", str(red.position_m.tolist())))
    with graph(ros, tmp_path, "policy:=my_policy:MyPolicy"):
        assert "red block" in obeys(ros, "surprise me")["touched"]


def test_a_policy_that_wraps_a_policy_obeys(ros: Any, tmp_path: Path) -> None:
    (tmp_path / "my_policy.py").write_text(POLICIES)
    with graph(ros, tmp_path, "policy:=my_policy:Slang"):
        assert "red block" in obeys(ros, "bother the crimson one")["touched"]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("my_policy:Nothing", "Nothing lacks reset() and decide()"),
        ("my_policy:Slangg", "Did you mean 'Slang'?"),
        ("no_such_module:MyPolicy", "there is no module 'no_such_module'"),
        ("broken:MyPolicy", "ModuleNotFoundError: No module named 'not_installed'"),
    ],
)
def test_what_is_no_policy_ends_the_launch_in_one_line(ros: Any, tmp_path: Path, policy: str, words: str) -> None:
    (tmp_path / "my_policy.py").write_text(POLICIES)
    (tmp_path / "broken.py").write_text("import not_installed\n")
    launch = ros.ros2("launch", "embodied", "sim.launch.py", f"policy:={policy}", cwd=tmp_path)
    assert launch.wait() == 1
    agent = [line for line in launch.lines if line.startswith("[agent_node")]
    errors = [line for line in agent if "] error: " in line]
    assert len(errors) == 1, launch.text
    assert words in errors[0]
    assert not [line for line in agent if "Traceback" in line], launch.text
