# SPDX-License-Identifier: Apache-2.0
"""URDF files: a sound one is read, and every fault is told in one line, before a simulator sees it."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import numpy as np
import pytest

from embodied.arm import arm_model
from embodied.errors import EmbodiedError
from embodied.motion.kinematics import Chain
from embodied.motion.urdf import MOST_BYTES, MOST_DEPTH, MOST_LINKS, read_urdf

PANDA = arm_model("panda").urdf
TEXT = PANDA.read_text()
LINK = """<link name="{link}"><inertial><mass value="{mass}"/>
<inertia ixx="{ixx}" iyy="1" izz="1" ixy="{ixy}" ixz="0" iyz="0"/></inertial>
<collision><geometry>{shape}</geometry></collision></link>"""
JOINT = """<joint name="{name}" type="{type}"><parent link="{parent}"/><child link="{child}"/>
<origin xyz="{xyz}" rpy="{rpy}"/><axis xyz="{axis}"/>{more}
<limit lower="{lower}" upper="{upper}" velocity="{velocity}" effort="{effort}"/></joint>"""
SOUND = {
    "name": "turn", "type": "revolute", "parent": "base", "child": "tip", "xyz": "0 0 1", "axis": "0 1 0",
    "lower": "-2", "upper": "2", "velocity": "1", "effort": "1", "rpy": "0 0 0", "more": "",
    "link": "tip", "mass": "1", "ixx": "1", "ixy": "0", "shape": '<cylinder radius="0.1" length="1"/>',
}  # fmt: skip


def robot(**changes: str) -> str:
    """Two links and a joint, with one thing changed."""
    base = '<link name="base"/>'
    return f"<robot name='arm'>{base}{LINK.format(**SOUND | changes)}{JOINT.format(**SOUND | changes)}</robot>"


def refusal(folder: Path, text: str | bytes) -> str:
    """The line in which a file is refused; nothing where it is read."""
    path = folder / "arm.urdf"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    line = ""
    try:
        Chain.from_urdf(path, "tip")
    except EmbodiedError as error:
        line = str(error)
    assert line.isprintable() and len(line) < 600
    return line


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    assert not refusal(tmp_path, robot())
    chain = Chain.from_urdf(tmp_path / "arm.urdf", "tip")
    assert chain.joint_names == ("turn",)
    assert np.allclose(chain.forward(np.array([np.pi / 2]))[:3, 3], [0.0, 0.0, 1.0])
    assert not refusal(tmp_path, robot(rpy="0.1 0.2 0.3"))
    at = Chain.from_urdf(tmp_path / "arm.urdf", "tip").fixed[0]
    assert np.allclose(at[:3, :3] @ at[:3, :3].T, np.eye(3)) and at[2, 0] == pytest.approx(-np.sin(0.2))
    assert not refusal(tmp_path, "\N{ZERO WIDTH NO-BREAK SPACE}" + robot()), "with a mark of its encoding"
    no_axis = robot().replace('<axis xyz="0 1 0"/>', "")
    assert not refusal(tmp_path, no_axis)
    assert Chain.from_urdf(tmp_path / "arm.urdf", "tip").axes.tolist() == [[1.0, 0.0, 0.0]]


FAULTS = [
    ({"axis": "0 0 2"}, r"joint 'turn': its axis must have length 1, and is \[0.0, 0.0, 2.0\]"),
    ({"axis": "0 0 0"}, "must have length 1"),
    *(({"axis": bad}, "<axis xyz=...> must be 3 numbers") for bad in ("0 1", "nan 0 1", "", "1 0 0 0", "0,0,1")),
    *(({"xyz": bad}, "<origin xyz=...> must be 3 numbers") for bad in ("0 0 one", "0 inf 0", "1e308 0 0", "1_0 0 0")),
    *(({"rpy": bad}, "<origin rpy=...> must be 3 numbers") for bad in ("0 0", "0 nan 0", "1e9 0 0")),
    *(({key: "nan"}, f"<limit {key}=...> must be 1 number") for key in ("lower", "upper", "velocity", "effort")),
    *(({key: bad}, f"<limit {key}=...> must be 1 number") for key in ("velocity", "effort") for bad in ("-1", "1e308")),
    ({"velocity": "0"}, "<limit velocity=...> must be 1 number"),
    ({"lower": "2", "upper": "-2"}, "its limits leave it no way: 2 to -2"),
    ({"lower": "2", "upper": "2"}, "limits that leave it no way"),
    ({"type": "continuous"}, "continuous, neither revolute nor fixed"),
    ({"type": "fixed"}, "no joint turns on the way to 'tip'"),
    ({"type": "hinge"}, "its type is 'hinge'; valid: revolute"),
    ({"parent": "tip"}, "the links behind 'tip' hang on each other in a circle"),
    ({"parent": "none"}, "joins the link 'none', which is not there"),
    ({"child": "none"}, "joins the link 'none', which is not there"),
    ({"link": "base"}, "2 of its links are called 'base'"),
    ({"link": ""}, "a link is called ''"),
    ({"name": "a&#10;b"}, r"a joint is called 'a\\nb'"),
    *(({"mass": bad}, "<mass value=...> must be 1 number") for bad in ("nan", "-1", "1e308", "inf", "heavy", "0x10")),
    *(({"ixx": bad}, "<inertia ixx=...> must be 1 number") for bad in ("abc", "nan", "-1", "1e308")),
    ({"ixy": "5"}, "its <inertia> is that of no body"),
    ({"shape": '<cylinder radius="-0.1" length="1"/>'}, "<cylinder radius=...> must be 1 number from 1e-09 to 100"),
    ({"shape": '<cylinder radius="0.1"/>'}, "<cylinder length=...> must be .*, and is not there"),
    ({"shape": '<box size="1 1"/>'}, "<box size=...> must be 3 numbers"),
    ({"shape": '<sphere radius="0"/>'}, "<sphere radius=...>"),
    ({"shape": "<mesh/>"}, "<mesh> has no filename"),
    ({"shape": '<mesh filename="a.stl" scale="nan 1 1"/>'}, "<mesh scale=...>"),
    ({"shape": ""}, "<geometry> is empty"),
    ({"shape": '<sphere radius="1"/><sphere radius="2"/>'}, "<sphere> is there 2 times"),
    ({"more": '<parent link="base"/>'}, "<parent> is there 2 times, and once is right"),
    ({"more": '<mimic joint="turn"/>'}, "it mimics 'turn', which is no other joint"),
    ({"more": '<dynamics damping="-1"/>'}, "<dynamics damping=...>"),
    ({"mass": "9" * 5000}, r"and is '9+\.\.\."),
]


@pytest.mark.parametrize(("change", "words"), FAULTS, ids=lambda value: str(value)[:40])
def test_a_fault_is_told_with_the_reason(change: dict[str, str], words: str, tmp_path: Path) -> None:
    assert re.search(words, refusal(tmp_path, robot(**change)))


def test_a_joint_may_lack_no_limits_and_links_hang_on_one(tmp_path: Path) -> None:
    assert "it lacks <limit>" in refusal(tmp_path, re.sub("<limit.*?/>", "", robot()))
    assert "2 hang on none" in refusal(tmp_path, robot().replace("</robot>", '<link name="loose"/></robot>'))
    second = JOINT.format(**SOUND | {"name": "again"})
    assert "'tip' hangs on two joints" in refusal(tmp_path, robot().replace("</robot>", second + "</robot>"))
    back = JOINT.format(**SOUND | {"name": "back", "parent": "tip", "child": "base"})
    assert "in a circle" in refusal(tmp_path, robot().replace("</robot>", back + "</robot>"))
    assert "run xacro on it" in refusal(tmp_path, robot().replace("<link", '<x:xacro xmlns:x="xacro"/><link', 1))


ENTITIES = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no element found"),
        ("<robot>", "no element found"),
        ("<robot></arm>", "mismatched tag"),
        ("no XML at all", "syntax error"),
        ("<a/><b/>", "junk after document element"),
        ("<sdf/>", "begins with <'sdf'> and not with <robot>"),
        (ENTITIES + robot(), "a DOCTYPE, which a URDF does not need"),
        ('<!DOCTYPE r SYSTEM "file:///etc/passwd">' + robot(), "a DOCTYPE"),
        ("<robot>" + "<a>" * (MOST_DEPTH + 1), f"more than {MOST_DEPTH} elements within each other"),
        ("<robot>" + "<a>" * 100_000, "elements within each other"),
        ("<robot>" + " " * MOST_BYTES, "is larger than"),
        ("<robot>" + "".join(f'<link name="{i}"/>' for i in range(MOST_LINKS + 1)) + "</robot>", "are the most"),
        (robot().encode("utf-16"), "can't decode"),
        (b"<robot name='\xff'/>", "can't decode"),
        ('<?xml version="1.0" encoding="klingon"?>' + robot(), ""),
    ],
    ids=range(15),
)
def test_what_is_no_urdf_is_told(text: str | bytes, words: str, tmp_path: Path) -> None:
    assert words in refusal(tmp_path, text)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.urdf")
    for name in ("none.urdf", ".", "pipe.urdf"):
        with pytest.raises(EmbodiedError, match="no URDF in"):
            read_urdf(tmp_path / name)


def spoilt(rng: random.Random) -> bytes:
    """Our own arm's file with something wrong in it, or something else that may pass."""
    data = bytearray(TEXT.encode())
    match rng.randrange(5):
        case 0:  # a number
            numbers = list(re.finditer(r"-?\d+\.?\d*", TEXT))
            found = rng.choice(numbers)
            bad = rng.choice(["nan", "inf", "-1", "1e308", "", "abc", "1 2", "0", "-0", "1_0", "\u0661", "9" * 400])
            return (TEXT[: found.start()] + bad + TEXT[found.end() :]).encode()
        case 1:  # a name
            found = rng.choice(list(re.finditer(r'(?:name|link|joint|type)="([^"]*)"', TEXT)))
            bad = rng.choice(["", "panda_link1", "panda_joint2", "x", "fixed", "&#10;", "&b;", "\u202e"])
            return (TEXT[: found.start(1)] + bad + TEXT[found.end(1) :]).encode()
        case 2:  # a line more or less
            lines = TEXT.splitlines()
            at = rng.randrange(len(lines))
            lines[at : at + 1] = [lines[at]] * rng.choice([0, 2])
            return "\n".join(lines).encode()
        case 3:
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            return bytes(data)
        case _:
            return bytes(data[: rng.randrange(len(data))])


def test_a_spoilt_file_is_refused_in_a_line_or_sound(tmp_path: Path) -> None:
    refused, path = 0, tmp_path / "arm.urdf"
    for seed in range(300):
        path.write_bytes(spoilt(random.Random(seed)))
        line = ""
        try:
            chain = Chain.from_urdf(path, "panda_grasptarget")
        except EmbodiedError as error:
            line = str(error)
        assert line.isprintable() and len(line) < 600
        if line:
            refused += 1
            continue
        middle = (chain.lower_rad + chain.upper_rad) / 2
        pose, jacobian = chain.forward(middle), chain.jacobian(middle)
        assert np.isfinite(pose).all() and np.isfinite(jacobian).all() and (chain.lower_rad < chain.upper_rad).all()
        assert np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-6)
    assert refused > 150
