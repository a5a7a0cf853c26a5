# SPDX-License-Identifier: Apache-2.0
"""Every collision shape of a URDF is known, wherever its joint may bring it; what cannot be known is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from embodied.errors import EmbodiedError
from embodied.motion.shapes import Solid, read_solids
from embodied.types import Float

CORNERS = np.array([[-0.1, 0.0, 0.0], [0.1, 0.2, 0.0], [0.0, 0.0, 0.4]])
LIMIT = '<limit lower="0" upper="0.04" velocity="1" effort="1"/>'


def robot(tmp_path: Path, shape: str, joint: str = "fixed", limit: str = "") -> Path:
    """A base, a link behind the joint `turn`, and a link with a shape that hangs on that by `joint`."""
    path = tmp_path / "robot.urdf"
    path.write_text(
        f"""<robot name="r"><link name="base"/><link name="arm"/><link name="end"><collision>
        <origin xyz="0 0 0.1"/><geometry>{shape}</geometry></collision></link>
        <joint name="turn" type="revolute"><parent link="base"/><child link="arm"/><axis xyz="0 0 1"/>
        <limit lower="-1" upper="1" velocity="1" effort="1"/></joint>
        <joint name="hang" type="{joint}"><parent link="arm"/><child link="end"/><origin xyz="0 0 1"/>
        <axis xyz="0 1 0"/>{limit}</joint></robot>"""
    )
    return path


def only(path: Path) -> Solid:
    [solid] = read_solids(path, ("turn",))
    assert (solid.link, solid.body) == ("end", 1)
    return solid


def reach(solid: Solid, way: Float) -> float:
    """How far a solid reaches along a unit vector (3,), from the frame of its body."""
    x, y, z = np.abs(way @ solid.pose[:3, :3])
    extent = solid.box_m @ [x, y, z] + solid.disc_m * np.hypot(x, y) + solid.ball_m
    return float(way @ solid.pose[:3, 3] + extent)


@pytest.mark.parametrize(
    ("shape", "along_x_m", "along_z_m"),
    [
        ('<box size="0.2 0.4 0.6"/>', 0.1, 1.4),
        ('<sphere radius="0.3"/>', 0.3, 1.4),
        ('<cylinder radius="0.2" length="0.6"/>', 0.2, 1.4),
        ('<capsule radius="0.1" length="0.4"/>', 0.1, 1.4),
    ],
)
def test_each_shape_reaches_as_far_as_it_says(tmp_path: Path, shape: str, along_x_m: float, along_z_m: float) -> None:
    solid = only(robot(tmp_path, shape))
    assert reach(solid, np.array([1.0, 0.0, 0.0])) == pytest.approx(along_x_m)
    assert reach(solid, np.array([0.0, 0.0, 1.0])) == pytest.approx(along_z_m)


def test_what_slides_covers_its_way_and_what_turns_its_ball(tmp_path: Path) -> None:
    slid = only(robot(tmp_path, '<box size="0.02 0.02 0.02"/>', "prismatic", LIMIT))
    assert reach(slid, np.array([0.0, 1.0, 0.0])) == pytest.approx(0.05)
    assert reach(slid, np.array([0.0, -1.0, 0.0])) == pytest.approx(0.01)
    turned = only(robot(tmp_path, '<sphere radius="0.05"/>', "revolute", LIMIT))
    assert reach(turned, np.array([0.6, 0.0, -0.8])) == pytest.approx(0.15 - 0.8)


def stl(binary: bool) -> bytes:
    if binary:
        return bytes(80) + struct.pack("<I", 1) + struct.pack("<12f", 0, 0, 1, *CORNERS.ravel()) + bytes(2)
    lines = [f"vertex {x} {y} {z}" for x, y, z in CORNERS]
    return "\n".join(["solid s", "facet normal 0 0 1", "outer loop", *lines, "endloop", "endfacet"]).encode()


@pytest.mark.parametrize("binary", [True, False])
def test_a_mesh_counts_as_its_bounding_box(tmp_path: Path, binary: bool) -> None:
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "end.stl").write_bytes(stl(binary))
    rows = "".join(f"v {x} {y} {z}\n" for x, y, z in CORNERS)
    (tmp_path / "meshes" / "end.OBJ").write_text(f"# an object\n{rows}vn 0 0 1\nf 1 2 3\n")
    for name in ("meshes/end.stl", "meshes/end.OBJ", f"package://{tmp_path.name}/meshes/end.stl"):
        solid = only(robot(tmp_path, f'<mesh filename="{name}" scale="2 2 2"/>'))
        assert reach(solid, np.array([1.0, 0.0, 0.0])) == pytest.approx(0.2)
        assert reach(solid, np.array([0.0, 1.0, 0.0])) == pytest.approx(0.4)
        assert reach(solid, np.array([0.0, 0.0, 1.0])) == pytest.approx(1.0 + 0.1 + 0.8)


@pytest.mark.parametrize(
    ("shape", "joint", "words"),
    [
        ('<mesh filename="none.stl"/>', "fixed", "collision mesh .*none.stl of link 'end' cannot be read"),
        ('<mesh filename="end.dae"/>', "fixed", "link 'end' cannot be read: it is neither .stl nor .obj but .dae"),
        ('<mesh filename="junk.stl"/>', "fixed", "link 'end' cannot be read: it holds no corners"),
        ('<mesh filename="bad.obj"/>', "fixed", "link 'end' cannot be read: "),
        ('<mesh filename="nan.obj"/>', "fixed", "link 'end' cannot be read: it holds no corners"),
        ('<heap size="1"/>', "fixed", "link 'end' collides as a <heap>; box, cylinder, capsule, sphere, mesh do"),
        ('<sphere radius="0.1"/>', "floating", "joint 'hang' is floating: where it may bring its link"),
    ],
)
def test_what_cannot_be_known_is_refused_in_a_line(tmp_path: Path, shape: str, joint: str, words: str) -> None:
    (tmp_path / "end.dae").write_text("<COLLADA/>")
    (tmp_path / "junk.stl").write_bytes(b"\x00\xff" * 70)
    (tmp_path / "bad.obj").write_text("v 1 2\nv 1 2 3\nv a b c\n")
    (tmp_path / "nan.obj").write_text("v 1 2 nan\n")
    with pytest.raises(EmbodiedError, match=words) as caught:
        read_solids(robot(tmp_path, shape, joint), ("turn",))
    assert "\n" not in str(caught.value)


def test_an_arm_whose_links_have_no_shapes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbodiedError, match="no link that moves has a <collision>"):
        read_solids(robot(tmp_path, '<sphere radius="0.1"/>'), ())


def test_a_fixed_joint_between_two_that_turn_moves_nothing_behind_the_outer_one(tmp_path: Path) -> None:
    path = tmp_path / "robot.urdf"
    turns = '<axis xyz="0 0 1"/><limit lower="-1" upper="1" velocity="1" effort="1"/>'
    path.write_text(
        f"""<robot name="r"><link name="base"/><link name="arm"/><link name="plate"/><link name="end"><collision>
        <origin xyz="0 0 0.1"/><geometry><sphere radius="0.05"/></geometry></collision></link>
        <joint name="inner" type="revolute"><parent link="base"/><child link="arm"/>{turns}</joint>
        <joint name="bolt" type="fixed"><parent link="arm"/><child link="plate"/><origin xyz="0 0 3"/></joint>
        <joint name="outer" type="revolute"><parent link="plate"/><child link="end"/>{turns}</joint></robot>"""
    )
    [solid] = read_solids(path, ("inner", "outer"))
    assert solid.body == 2
    np.testing.assert_allclose(solid.pose[:3, 3], [0.0, 0.0, 0.1])
