# SPDX-License-Identifier: Apache-2.0
"""Law: an arm is a URDF and a YAML file. This one has five joints, and all tasks are done with it."""

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import sim
from embodied.arm import load_arm
from embodied.commands import eval as evaluation
from embodied.controls import Policies
from embodied.episode import EnvironmentArm
from embodied.run import Agent

# --8<-- what an arm is
DESCRIPTION = """
urdf: five.urdf
tip: tip # the tool centre point: z along the fingers, which open along y
hand: hand
home_rad: [0.0, -0.15821, 2.11281, 1.18699, 0.0] # the hand points down, out of the camera's way
max_acceleration_rad_s2: [8.0, 8.0, 8.0, 8.0, 8.0]
gripper_joints: [left, right]
gripper_width_m: 0.08
held_width_m: [0.03, 0.06]
reach_lower_m: [0.25, -0.40, 0.008]
reach_upper_m: [0.72, 0.40, 0.60]
workspace_lower_m: [0.15, -0.6, 0.0]
workspace_upper_m: [0.85, 0.6, 0.9]
cameras: [front]
"""
# --8<-- end

LINK = """
  <link name="{name}">
    <inertial><origin xyz="{at}"/><mass value="2"/>
      <inertia ixx="0.05" ixy="0" ixz="0" iyy="0.05" iyz="0" izz="0.05"/></inertial>
    <visual><origin xyz="{at}"/><geometry><box size="{size}"/></geometry></visual>
  </link>"""
JOINT = """
  <joint name="{name}" type="{kind}">
    <parent link="{parent}"/><child link="{child}"/><origin xyz="{xyz}" rpy="{rpy}"/><axis xyz="{axis}"/>
    <limit lower="{lower}" upper="{upper}" velocity="2.5" effort="150"/>
  </joint>"""


def urdf() -> str:
    """A turning base, three joints that bend in one plane, and a wrist that turns the hand."""
    links = [
        ("base", "0 0 0.02", "0.1 0.1 0.04"),
        ("column", "0 0 0", "0.1 0.1 0.1"),
        ("upper", "0 0 0.225", "0.06 0.06 0.45"),
        ("lower", "0 0 0.2", "0.05 0.05 0.4"),
        ("wrist", "0 0 0.04", "0.05 0.05 0.08"),
        ("hand", "0 0 0.01", "0.03 0.18 0.02"),
        ("left_finger", "0 0.01 0.045", "0.02 0.02 0.05"),
        ("right_finger", "0 -0.01 0.045", "0.02 0.02 0.05"),
        ("tip", "0 0 0", "0.001 0.001 0.001"),
    ]
    bend, slide = {"axis": "0 1 0", "rpy": "0 0 0"}, {"kind": "prismatic", "lower": 0, "upper": 0.04}
    joints = [
        ("turn", "base", "column", "0 0 0.3", {"axis": "0 0 1", "lower": -2.5, "upper": 2.5}),
        ("shoulder", "column", "upper", "0 0 0", {**bend, "lower": -1.5, "upper": 1.6}),
        ("elbow", "upper", "lower", "0 0 0.45", {**bend, "lower": 0.1, "upper": 2.7}),
        ("bend", "lower", "wrist", "0 0 0.4", {**bend, "lower": -0.5, "upper": 2.6}),
        # Turned half about z, so that at yaw 0 the hand's x is the world's where it points down.
        ("roll", "wrist", "hand", "0 0 0.08",
         {"axis": "0 0 1", "rpy": f"0 0 {np.pi}", "lower": -3.1, "upper": 3.1}),
        ("left", "hand", "left_finger", "0 0 0", {"axis": "0 1 0", **slide}),
        ("right", "hand", "right_finger", "0 0 0", {"axis": "0 -1 0", **slide}),
        ("to_tip", "hand", "tip", "0 0 0.0646", {"kind": "fixed", "axis": "0 0 1"}),
    ]  # fmt: skip
    rest = {"kind": "revolute", "rpy": "0 0 0", "lower": 0, "upper": 0}
    parts = [LINK.format(name=name, at=at, size=size) for name, at, size in links]
    parts += [
        JOINT.format(name=name, parent=parent, child=child, xyz=xyz, **rest | options)
        for name, parent, child, xyz, options in joints
    ]
    body = "".join(parts)
    # Fingers collide, as they must to grasp; nothing else of it can touch anything.
    for finger in ("left_finger", "right_finger"):
        at = body.index("</link>", body.index(f'<link name="{finger}">'))
        sign = "" if finger == "left_finger" else "-"
        shape = f'<origin xyz="0 {sign}0.01 0.045"/><geometry><box size="0.02 0.02 0.05"/></geometry>'
        body = f"{body[:at]}<collision>{shape}</collision>{body[at:]}"
    return f'<?xml version="1.0"?>\n<robot name="five">{body}\n</robot>\n'


@pytest.fixture
def five(tmp_path: Path) -> Path:
    (tmp_path / "five.urdf").write_text(urdf())
    (tmp_path / "five.yaml").write_text(DESCRIPTION)
    return tmp_path / "five.yaml"


def test_it_is_read_and_stands_as_the_world_expects(five: Path) -> None:
    model = load_arm(five)
    assert (model.joints, model.joint_names[-1]) == (5, "roll")
    np.testing.assert_allclose(model.home_pose[:3, :3], np.diag([1.0, -1.0, -1.0]), atol=5e-3)
    assert model.home_pose[0, 3] == pytest.approx(0.3, abs=0.02)


def test_every_family_is_done_with_it(five: Path, tmp_path: Path) -> None:
    out = tmp_path / "eval.json"
    arguments = ["policy=oracle", f"arm={five}", "split=seen", "episodes=3", "seed=7", "workers=1"]
    assert evaluation.main([*arguments, f"out={out}"]) == 0
    *rows, together = json.loads(out.read_text())["results"]
    assert [row["task"] for row in rows] == list(sim.TABLETOP)
    assert together["successes"] >= 16, [(row["task"], row["successes"]) for row in rows]


def test_what_it_holds_is_put_back_before_the_next_command(five: Path) -> None:
    env = gymnasium.make(sim.environment_id("pick_up"), arm=str(five), action_mode="skill", senses=())
    arm = EnvironmentArm(env, ends_at_success=False)
    arm.reset(4, {})
    start = env.unwrapped.world.objects()
    agent = Agent(Policies("oracle", {}).plain, arm)
    for _ in range(2):  # the second command finds the block in the hand
        assert agent.do(env.unwrapped.episode.instruction).state == "done"
        assert env.unwrapped.world.held() == str(env.unwrapped.episode.plan.target)
    assert arm.steps == 3, "picked, put back, picked again"
    assert set(start) == set(env.unwrapped.world.objects())
    env.close()
