# SPDX-License-Identifier: Apache-2.0
"""Arms from a URDF and a YAML file: ours are sound, and every fault in a file is told in one line."""

from __future__ import annotations

import re
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from embodied.arm import ARMS, ROBOTS, ArmModel, Outcome, arm_model, load_arm
from embodied.errors import EmbodiedError, UnknownNameError

OURS = sorted(path.stem for path in ROBOTS.glob("*.yaml"))
OPTIONAL = ("chain", "name", "senses", "max_jerk_rad_s3", "keep_out", "table_m")
KEYS = [field.name for field in fields(ArmModel) if field.name not in OPTIONAL]


@pytest.fixture
def described(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A sound description to spoil: where it goes, and what is in it."""
    shutil.copy(ROBOTS / "panda.urdf", tmp_path)
    return tmp_path / "mine.yaml", yaml.safe_load((ROBOTS / "panda.yaml").read_text())


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("name", OURS)
def test_each_arm_of_the_house_can_do_what_its_numbers_say(name: str) -> None:
    model = arm_model(name)
    assert model.name == name and name in ARMS
    assert model is arm_model(name)
    assert len(model.joint_names) == model.joints == len(model.home_rad) == len(model.max_velocity_rad_s)
    assert ((model.lower_rad < model.home_rad) & (model.home_rad < model.upper_rad)).all()
    down = model.home_pose
    assert np.allclose(down[:3, 2], [0.0, 0.0, -1.0], atol=5e-3), "the hand points down at home"
    home = down[:3, 3]
    assert ((model.reach_lower_m < home) & (home < model.reach_upper_m)).all()
    assert home[2] > 0.35, "high enough to hide nothing of the table"


def test_two_arms_are_there_and_differ() -> None:
    assert {"panda", "ur5e"} <= set(ARMS)
    assert (arm_model("panda").joints, arm_model("ur5e").joints) == (7, 6)
    with pytest.raises(UnknownNameError, match=r"unknown arm 'panda2'. Did you mean 'panda'\?.*ur5e"):
        arm_model("panda2")


def test_a_file_describes_an_arm_that_its_path_names(described: tuple[Path, dict[str, Any]]) -> None:
    path, content = described
    model = arm_model(str(write(path, content)))
    assert (model.name, model.urdf) == ("mine", path.parent / "panda.urdf")
    assert np.array_equal(model.home_rad, arm_model("panda").home_rad)
    assert arm_model(str(path)) is model
    assert load_arm(write(path, content | {"name": "left arm"})).name == "left arm"
    assert load_arm(path, gripper_width_m=0.07).gripper_width_m == 0.07


def test_a_urdf_may_stand_in_an_installed_package(described: tuple[Path, dict[str, Any]]) -> None:
    path, content = described
    model = load_arm(write(path, content | {"urdf": "package:embodied/robots/panda.urdf"}))
    assert model.urdf == ROBOTS / "panda.urdf"


AROUND: list[tuple[dict[str, Any], str]] = [
    ({"keep_out": [0.1] * 6}, "keep_out must hold lines of name: .*the lower corner first, not"),
    ({"keep_out": {"post": [0.1] * 5}}, "keep_out 'post' must be 6 numbers"),
    ({"keep_out": {"post": [0.1] * 6}}, "the lower corner first, not 'post'"),
    ({"keep_out": {7: [0.0, 0.0, 0.0, 0.1, 0.1, float("nan")]}}, "keep_out 7 must be 6 numbers"),
    ({"keep_out": {"all": [-1, -1, -1, 1, 1, 1]}}, r"at home, panda_\w+ is in the keep-out box 'all'"),
    ({"table_m": "low"}, "table_m must be 1 numbers, not"),
    ({"table_m": 0.45}, r"at home, panda_\w+ is not above the table at 0.45 m"),
    ({"reach_upper_m": [0.9, 0.4, 0.6]}, "reach_lower_m to reach_upper_m must be a box within the workspace"),
    ({"workspace_upper_m": [0.85, 0.6]}, "workspace_upper_m must be 3 numbers"),
]
"""What belongs to the place: in the arm's own file, and in that of a cell."""


@pytest.mark.parametrize(("change", "words"), AROUND, ids=lambda value: str(value)[:40])
def test_a_fault_of_the_place_is_told_in_a_line(
    change: dict[str, Any], words: str, described: tuple[Path, dict[str, Any]]
) -> None:
    path, content = described
    cell = write(path.with_name("cell.yaml"), change)
    write(path, content | change)
    for load, file in ((lambda: load_arm(path), path), (lambda: arm_model("panda", str(cell)), cell)):
        with pytest.raises(EmbodiedError, match=words) as caught:
            load()
        assert "\n" not in str(caught.value) and str(file) in str(caught.value)


def test_a_cell_goes_before_the_arm_and_names_nothing_of_it(tmp_path: Path) -> None:
    post = [0.6, 0.3, 0.0, 0.7, 0.4, 0.5]
    cell = write(
        tmp_path / "cell.yaml",
        {"workspace_upper_m": [0.8, 0.5, 0.7], "keep_out": {"post": post}, "table_m": None, "reach_lower_m": [0.3] * 3},
    )
    model, bare = arm_model("panda", str(cell)), arm_model("panda")
    assert model.workspace_upper_m.tolist() == [0.8, 0.5, 0.7] and model.reach_lower_m.tolist() == [0.3] * 3
    assert np.concatenate(model.keep_out["post"]).tolist() == post and model.table_m is None
    assert model.chain is bare.chain and (bare.keep_out, bare.table_m) == ({}, 0.0)
    with pytest.raises(UnknownNameError, match=r"unknown key of .*cell\.yaml 'home_rad'"):
        arm_model("panda", str(write(cell, {"home_rad": [0.0] * 7})))
    with pytest.raises(EmbodiedError, match=r"cell\.yaml must hold `key: value` lines that describe a cell"):
        arm_model("panda", str(write(cell, "- 1")))
    with pytest.raises(EmbodiedError, match="no description of a cell in"):
        arm_model("panda", str(tmp_path / "none.yaml"))


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"hom_rad": [0.0] * 7}, r"unknown key of .* 'hom_rad'. Did you mean 'home_rad'"),
    *(({key: None}, rf"lacks {key}$") for key in KEYS),  # None: without this key
    *(({key: "a lot"}, rf"{key} must be (a list|\d)") for key in KEYS if key not in ("urdf", "tip", "hand")),
    *(
        ({key: bad}, rf"{key} must be \d numbers")
        for key in ("home_rad", "max_acceleration_rad_s2", "reach_lower_m", "held_width_m")
        for bad in ([0.1], [0.1] * 9, 0.1, [], [[0.1] * 7], {"a": 1}, [float("nan")] * 7, [0.1, "b", 0.2])
    ),
    *(({"gripper_width_m": bad}, "gripper_width_m must be 1 numbers") for bad in (float("inf"), [0.08], {})),
    ({"gripper_width_m": 0.0}, "gripper_width_m.* must be above 0"),
    ({"gripper_width_m": -0.08}, "gripper_width_m.* must be above 0"),
    ({"max_acceleration_rad_s2": [1.0] * 6 + [0.0]}, "max_acceleration_rad_s2 and max_jerk_rad_s3 must be above 0"),
    ({"home_rad": [0.0] * 7}, "home_rad is beyond the joint limits of .*panda.urdf"),
    ({"held_width_m": [0.06, 0.03]}, "held_width_m must be two widths"),
    ({"held_width_m": [0.03, 0.09]}, "held_width_m must be two widths"),
    ({"reach_lower_m": [0.8, 0.0, 0.0]}, "reach_lower_m to reach_upper_m must be a box within the workspace"),
    ({"reach_upper_m": [0.9, 0.4, 0.6]}, "reach_lower_m to reach_upper_m must be a box within the workspace"),
    ({"workspace_lower_m": [0.3, -0.6, 0.0]}, "must be a box within the workspace"),
    ({"gripper_joints": ["panda_finger_joint1"]}, "gripper_joints must be a list of 2 names"),
    (
        {"gripper_joints": ["panda_finger_joint1", "panda_joint1"]},
        "unknown gripper_joints in .* 'panda_joint1'",
    ),
    (
        {"gripper_joints": ["panda_finger_joint1", "finger2"]},
        "unknown gripper_joints in .* 'finger2'.*joint2",
    ),
    ({"hand": "panda_hnd"}, r"unknown hand in .* 'panda_hnd'. Did you mean 'panda_hand'"),
    ({"tip": "gripper"}, r"urdf and tip lead to no arm: .*has no link 'gripper'.*panda_grasptarget"),
    ({"tip": "panda_leftfinger"}, r"urdf and tip lead to no arm: .*is prismatic, neither"),
    ({"urdf": "none.urdf"}, r"urdf and tip lead to no arm: no URDF in .*none\.urdf"),
    ({"urdf": "."}, "urdf and tip lead to no arm: no URDF in"),
    ({"urdf": "mine.yaml"}, "urdf and tip lead to no arm: no URDF in .*not well-formed|syntax error"),
    ({"urdf": "package:none_such/a.urdf"}, "no installed package 'none_such'"),
    ({"urdf": "package:a.b/a.urdf"}, "no installed package 'a.b'"),
    ({"urdf": "package:embodied/none.urdf"}, r"no URDF in .*none\.urdf"),
]


@pytest.mark.parametrize(("change", "words"), FAULTS, ids=lambda value: str(value)[:40])
def test_a_fault_is_told_in_a_line_that_names_the_file_and_the_key(
    change: dict[str, Any], words: str, described: tuple[Path, dict[str, Any]]
) -> None:
    path, content = described
    write(path, {key: value for key, value in (content | change).items() if value is not None})
    with pytest.raises(EmbodiedError, match=words) as caught:
        load_arm(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "- 1\n- 2\n",
            "just words",
            "a: [1,\n",
            "a: b: c",
            "\ttab: 1",
            "%bad",
            "when: 2020-13-45",
            "\x00",
        ),
        *("!!python/object:os.system {}", "a: &x [*x]\nb: *y"),
    ],
)
def test_what_is_no_description_is_told_in_a_line(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", text)
    with pytest.raises(EmbodiedError, match=re.escape(str(path))) as caught:
        load_arm(path)
    assert "\n" not in str(caught.value)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9\xff")
    for missing in ("none.yaml", ".", "latin.yaml"):
        with pytest.raises(EmbodiedError, match="no description of an arm in") as caught:
            load_arm(tmp_path / missing)
        assert "\n" not in str(caught.value)


def test_what_an_entry_of_another_package_leads_to_is_an_arm_or_told(
    described: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, content = described
    write(path, content)
    monkeypatch.chdir(path.parent)
    monkeypatch.syspath_prepend(str(path.parent))
    (path.parent / "arms_of_the_test.py").write_text(
        "from pathlib import Path\nfrom embodied.arm import load_arm\n"
        "PATH = Path(__file__).with_name('mine.yaml')\nmodel = load_arm(PATH)\n"
        "def build(): return load_arm(PATH)\ndef path(): return str(PATH)\nnumber = 3\n"
    )
    for name in ("PATH", "model", "build", "path"):
        assert arm_model(f"arms_of_the_test:{name}").name == "mine"
    with pytest.raises(EmbodiedError, match="'arms_of_the_test:number' is a int; it must be an ArmModel"):
        arm_model("arms_of_the_test:number")


def test_an_outcome_is_done_only_when_it_says_so() -> None:
    assert Outcome(state="done").done
    assert not any(Outcome(state=state).done for state in ("refused", "aborted", "stopped", "silent"))
