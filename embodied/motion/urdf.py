# SPDX-License-Identifier: Apache-2.0
"""URDF files: the tree of links and joints, checked whole where it is read, so that nothing is built of a faulty one.

Simulators and planners read such files in ways of their own, and take a good deal in silence. What is refused here is
what they would not all take in the same way: what is there twice, numbers that are none, and numbers of no arm.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from embodied.errors import EmbodiedError, shown
from embodied.files import read_text
from embodied.types import Float

MOST_BYTES = 10 * 2**20
MOST_LINKS = 200
"""More than simulators can move."""
MOST_DEPTH = 32
"""Of elements within elements; a URDF needs six."""
MOVING = ("revolute", "continuous", "prismatic", "planar")
JOINT_TYPES = (*MOVING, "fixed", "floating")
_TOLERANCE = 1e-3
"""Of the length of an axis."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ONCE = {
    *("origin", "parent", "child", "axis", "limit", "dynamics", "mimic", "inertial", "mass", "inertia", "geometry"),
    *("box", "cylinder", "sphere", "capsule", "mesh"),
}
"""Elements that stand in another once at most."""


class _Row(NamedTuple):
    """The numbers in an attribute."""

    size: int
    lowest: float
    highest: float
    required: bool = True


_M, _KG, _LARGE, _TINY = 100.0, 1e4, 1e9, 1e-9
_NEEDED_SIZE = _Row(1, _TINY, _M)
_ROWS: Mapping[str, Mapping[str, _Row]] = {
    "origin": {"xyz": _Row(3, -_M, _M, False), "rpy": _Row(3, -1e3, 1e3, False)},
    "mass": {"value": _Row(1, 0.0, _KG)},
    "inertia": {name: _Row(1, -_LARGE if name[1] != name[2] else 0.0, _LARGE) for name in
                ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")},
    "box": {"size": _Row(3, _TINY, _M)},
    "sphere": {"radius": _NEEDED_SIZE},
    "cylinder": {"radius": _NEEDED_SIZE, "length": _NEEDED_SIZE},
    "capsule": {"radius": _NEEDED_SIZE, "length": _NEEDED_SIZE},
    "mesh": {"scale": _Row(3, -_LARGE, _LARGE, False)},
    "color": {"rgba": _Row(4, 0.0, 1.0)},
    "dynamics": {"damping": _Row(1, 0.0, _LARGE, False), "friction": _Row(1, 0.0, _LARGE, False)},
    "mimic": {"multiplier": _Row(1, -_LARGE, _LARGE, False), "offset": _Row(1, -_LARGE, _LARGE, False)},
    **{name: {"value": _Row(1, 0.0, _LARGE)} for name in
       ("lateral_friction", "rolling_friction", "spinning_friction", "stiffness", "damping")},
}  # fmt: skip
"""Element -> attribute -> its numbers."""
_FORCE = {"effort": _Row(1, 0.0, _LARGE), "velocity": _Row(1, _TINY, _LARGE)}
_LIMITS = {"lower": _Row(1, -_LARGE, _LARGE, False), "upper": _Row(1, -_LARGE, _LARGE, False)} | _FORCE


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree; refuses what no URDF has and what makes a small file large."""

    _depth = 0

    def start(self, tag: str, attributes: dict[Any, Any], /) -> ElementTree.Element:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise ValueError(f"more than {MOST_DEPTH} elements within each other")
        return super().start(tag, attributes)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        """Entities are defined in it."""
        raise ValueError("a DOCTYPE, which a URDF does not need; take it out")


def read_urdf(path: Path | str) -> ElementTree.Element:
    """The root of a URDF file. Raises EmbodiedError in a line where there is none, or where it has a fault."""
    parser = ElementTree.XMLParser(target=_Builder())
    try:
        parser.feed(read_text(Path(path), "URDF", most_bytes=MOST_BYTES).removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"))
        root: ElementTree.Element = parser.close()
    except (ElementTree.ParseError, ValueError) as error:
        raise EmbodiedError(f"no URDF in {path}: {error}") from None
    for fault in _faults(root):
        raise EmbodiedError(f"no sound URDF in {path}: {fault}")
    return root


def _faults(root: ElementTree.Element) -> Iterator[str]:
    if root.tag != "robot":
        yield f"it begins with <{shown(root.tag)}> and not with <robot>"
    if any("xacro" in str(element.tag) for element in root):
        yield "it holds xacro, which makes a URDF: run xacro on it first"
    links, joints = root.findall("link"), root.findall("joint")
    if max(len(links), len(joints)) > MOST_LINKS:
        yield f"{len(links)} links and {len(joints)} joints; {MOST_LINKS} are the most"
    for sort, elements in (("link", links), ("joint", joints)):
        names = [element.get("name", "") for element in elements]
        yield from (f"a {sort} is called {name!r}" for name in names if not (name.isprintable() and name.strip()))
        yield from (
            f"{count} of its {sort}s are called {name!r}" for name, count in Counter(names).items() if count > 1
        )
    for element in (*links, *joints):
        yield from (f"{element.tag} {element.get('name')!r}: {fault}" for fault in _element_faults(element))
    for joint in joints:
        yield from (f"joint {joint.get('name')!r}: {fault}" for fault in _joint_faults(joint, joints))
    yield from _tree_faults([str(link.get("name")) for link in links], joints)


def _element_faults(element: ElementTree.Element) -> Iterator[str]:
    """Of a link or joint and all that is in it, by tables."""
    for inner in element.iter():
        tags = Counter(child.tag for child in inner)
        yield from (f"<{tag}> is there {tags[tag]} times, and once is right" for tag in sorted(_ONCE & tags.keys())
                    if tags[tag] > 1)  # fmt: skip
        yield from _row_faults(inner, _ROWS.get(inner.tag, {}))
        if inner.tag == "geometry" and not len(inner):
            yield "<geometry> is empty"
        if inner.tag == "mesh" and not inner.get("filename"):
            yield "<mesh> has no filename"
    for inertia in element.iter("inertia"):
        yield from _inertia_faults(inertia)


def _row_faults(element: ElementTree.Element, rows: Mapping[str, _Row]) -> Iterator[str]:
    for name, row in rows.items():
        text = element.get(name)
        found = np.empty(0) if text is None else _parsed(text)
        if text is None and not row.required:
            continue
        if found.shape != (row.size,) or not ((found >= row.lowest) & (found <= row.highest)).all():
            wanted = f"{row.size} number{'s' * (row.size > 1)} from {row.lowest:g} to {row.highest:g}"
            yield f"<{element.tag} {name}=...> must be {wanted}, and is {'not there' if text is None else shown(text)}"


def _inertia_faults(inertia: ElementTree.Element) -> Iterator[str]:
    xx, xy, xz, yy, yz, zz = (_parsed(inertia.get(name, "")) for name in _ROWS["inertia"])
    if any(each.shape != (1,) for each in (xx, xy, xz, yy, yz, zz)):
        return  # told by the table
    matrix = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])[:, :, 0]
    if np.isfinite(matrix).all() and float(np.linalg.eigvalsh(matrix)[0]) < -1e-6 * float(np.abs(matrix).max()):
        yield "its <inertia> is that of no body: about some axis it is below 0"


def _joint_faults(joint: ElementTree.Element, joints: Iterable[ElementTree.Element]) -> Iterator[str]:
    kind = joint.get("type", "")
    if kind not in JOINT_TYPES:
        yield f"its type is {shown(kind)}; valid: {', '.join(JOINT_TYPES)}"
    if kind in MOVING and (axis := joint.find("axis")) is not None:
        yield from (faults := list(_row_faults(axis, {"xyz": _Row(3, -2.0, 2.0)})))
        if not faults and abs(float(np.linalg.norm(axis_of(joint))) - 1.0) > _TOLERANCE:
            yield f"its axis must have length 1, and is {axis_of(joint).tolist()}"
    limit = joint.find("limit")
    if limit is None:
        yield from ["it lacks <limit>"] if kind in ("revolute", "prismatic") else []
    elif kind in MOVING:
        yield from (faults := list(_row_faults(limit, _LIMITS if kind in ("revolute", "prismatic") else _FORCE)))
        if not faults and kind in ("revolute", "prismatic"):
            lower, upper, _ = limits_of(joint)
            yield from [f"its limits leave it no way: {lower:g} to {upper:g}"] if lower > upper else []
    mimic = joint.find("mimic")
    if mimic is not None and mimic.get("joint") not in {str(each.get("name")) for each in joints if each is not joint}:
        yield f"it mimics {shown(mimic.get('joint'))}, which is no other joint"


def _tree_faults(links: list[str], joints: Iterable[ElementTree.Element]) -> Iterator[str]:
    """Whether the links hang on one another as a tree does."""
    parents: dict[str, str] = {}
    for joint in joints:
        ends = [attribute(joint, end, "link") for end in ("parent", "child")]
        for end in ends:
            if end not in links:
                yield f"joint {joint.get('name')!r} joins the link {shown(end)}, which is not there"
        if ends[1] in parents:
            yield f"the link {ends[1]!r} hangs on two joints"
        parents[ends[1]] = ends[0]
    for link in links:
        passed = {link}
        while (link := parents.get(link, "")) and link not in passed:
            passed.add(link)
        if link:
            yield f"the links behind {link!r} hang on each other in a circle"
    if len(roots := [link for link in links if link not in parents]) != 1:
        yield f"its links must hang on one, and {len(roots)} hang on none: {shown(roots)}"


def pose_of(element: ElementTree.Element) -> Float:
    """(4, 4) what the <origin> of a joint, visual or collision says; the identity where there is none."""
    origin = element.find("origin")
    pose = np.eye(4)
    if origin is not None:
        rpy = _parsed(origin.get("rpy", "0 0 0"))
        (sx, sy, sz), (cx, cy, cz) = np.sin(rpy), np.cos(rpy)
        about_x = np.array([[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]])
        about_y = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
        about_z = np.array([[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]])
        pose[:3, :3] = about_z @ about_y @ about_x
        pose[:3, 3] = _parsed(origin.get("xyz", "0 0 0"))
    return pose


def axis_of(joint: ElementTree.Element) -> Float:
    """(3,) the unit axis that a joint turns about or slides along; x where it names none, as URDF has it."""
    axis = joint.find("axis")
    return np.array([1.0, 0.0, 0.0]) if axis is None else _parsed(axis.get("xyz", ""))


def limits_of(joint: ElementTree.Element) -> Float:
    """(3,) lowest and highest position, 0 where they are not named, and the fastest velocity."""
    limit = joint.find("limit")
    assert limit is not None, "asked for where the file was read"
    return np.concatenate([_parsed(limit.get(key, "0")) for key in ("lower", "upper", "velocity")])


def attribute(element: ElementTree.Element, tag: str, key: str) -> str:
    """An attribute of the first child called `tag`; empty where there is none."""
    child = element.find(tag)
    return "" if child is None else child.get(key, "")


def _parsed(text: str) -> Float:
    """(N,) the numbers in a text; none where one of its words is no number to every reader, as 1_0 and nan are."""
    words = text.split()
    return np.array([float(word) for word in words] if all(map(_NUMBER.fullmatch, words)) else [], dtype=np.float64)
