# SPDX-License-Identifier: Apache-2.0
"""The collision shapes of a URDF as convex solids, each fixed to the joint of the arm that carries it.

What hangs on a joint that is none of the arm's own, as fingers do, is taken wherever that joint may bring it: a solid
that slides covers the whole of its way, and one that turns is the ball that it turns in.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from embodied.errors import EmbodiedError
from embodied.motion.urdf import attribute, axis_of, limits_of, pose_of, read_urdf
from embodied.types import Float

_STL_HEADER, _STL_TRIANGLE = 84, 50
"""Bytes of a binary STL file."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Solid:
    """A box, rounded at will: the sum (in Minkowski's sense) of a box, a flat disc about z, and a ball.

    A cylinder is a line and a disc, a capsule a line and a ball.
    """

    link: str
    after: str = ""
    """The nearest link before it that has a shape: the two are joined, and always touch."""
    body: int
    """How many of the arm's joints are before it: 0 stands still."""
    pose: Float  # (4, 4) of its middle, in the frame behind its last joint, or in the arm's base
    box_m: Float  # (3,) half of the sides
    disc_m: float = 0.0
    ball_m: float = 0.0

    @property
    def radius_m(self) -> float:
        """Of the ball about its middle that holds it all."""
        return float(np.linalg.norm(self.box_m + self.disc_m * np.array([1.0, 1.0, 0.0]))) + self.ball_m

    def swing_m(self, axis: Float) -> float:
        """How far a turn about `axis` (3,), through its body's origin, can move anything of it, for each radian."""
        off_m = float(np.linalg.norm(np.cross(axis, self.pose[:3, 3])))
        along = abs(float(axis @ self.pose[:3, 2])) > 1.0 - 1e-9 or not (self.box_m.any() or self.disc_m)
        # What is round about the axis stays as it is.
        return 0.0 if off_m < 1e-9 and along and not self.box_m[:2].any() else off_m + self.radius_m

    def slid(self, axis: Float, lower_m: float, upper_m: float) -> "Solid":
        """What it covers on the way along `axis` (3,) from one place to another."""
        pose = self.pose.copy()
        pose[:3, 3] += 0.5 * (lower_m + upper_m) * axis
        return replace(self, pose=pose, box_m=self.box_m + 0.5 * (upper_m - lower_m) * np.abs(axis @ pose[:3, :3]))

    def turned(self) -> "Solid":
        """What it covers on any turn about the origin."""
        ball_m = float(np.linalg.norm(self.pose[:3, 3])) + self.radius_m
        return replace(self, pose=np.eye(4), box_m=np.zeros(3), disc_m=0.0, ball_m=ball_m)


def read_solids(path: Path | str, joint_names: Sequence[str]) -> tuple[Solid, ...]:
    """The collision shapes in the URDF file at `path` of an arm with these joints, from the base on.

    Raises EmbodiedError where there is no such file, or a shape in it cannot be known.
    """
    robot = read_urdf(path)
    links = {str(link.get("name")): link for link in robot.findall("link")}
    joints = robot.findall("joint")
    [base] = set(links) - {attribute(joint, "child", "link") for joint in joints}

    def behind(link: str, after: str, body: int, pose: Float) -> Iterator[Solid]:
        """Those of `link`, which stands at `pose` in the frame of its body, and of all that hangs on it."""
        own = [_solid(Path(path), links[link], shape) for shape in links[link].findall("collision")]
        for solid in own:
            yield replace(solid, link=link, after=after, body=body, pose=pose @ solid.pose)
        after = link if own else after
        for joint in joints:
            if attribute(joint, "parent", "link") != link:
                continue
            child, name = attribute(joint, "child", "link"), str(joint.get("name"))
            if name in joint_names:
                yield from behind(child, after, joint_names.index(name) + 1, np.eye(4))
                continue
            cover = _cover(Path(path), joint)
            place = pose @ pose_of(joint)
            for solid in behind(child, after, body, np.eye(4)):
                # What hangs on a joint of the arm further out has a place of its own.
                covered = cover(solid) if solid.body == body else solid
                yield replace(covered, pose=place @ covered.pose) if solid.body == body else solid

    solids = tuple(behind(base, "", 0, np.eye(4)))
    if not any(solid.body for solid in solids):
        raise EmbodiedError(f"{path}: no link that moves has a <collision>, so nothing could be kept clear of it")
    return solids


def _cover(path: Path, joint: ElementTree.Element) -> Callable[[Solid], Solid]:
    """How a joint that is none of the arm's moves what hangs on it."""
    kind = joint.get("type")
    if kind == "fixed":
        return lambda solid: solid
    if kind == "prismatic":
        axis, (lower_m, upper_m, _) = axis_of(joint), limits_of(joint)
        return lambda solid: solid.slid(axis, lower_m, upper_m)
    if kind in ("revolute", "continuous"):
        return Solid.turned
    raise EmbodiedError(f"{path}: joint {joint.get('name')!r} is {kind}: where it may bring its link cannot be known")


def _solid(path: Path, link: ElementTree.Element, collision: ElementTree.Element) -> Solid:
    name = str(link.get("name"))
    geometry = collision.find("geometry")
    shape = geometry[0] if geometry is not None and len(geometry) else ElementTree.Element("nothing")
    solid = Solid(link=name, body=0, pose=pose_of(collision), box_m=np.zeros(3))

    def size(key: str, usual: str = "") -> Float:
        try:
            return np.array([float(word) for word in shape.get(key, usual).split()])
        except ValueError:
            raise EmbodiedError(f"{path}: link {name!r} collides as a {shape.tag} of {shape.attrib}") from None

    if shape.tag == "box":
        return replace(solid, box_m=0.5 * size("size"))
    if shape.tag == "sphere":
        return replace(solid, ball_m=float(size("radius")[0]))
    if shape.tag in ("cylinder", "capsule"):
        [radius_m], [length_m] = size("radius"), size("length")
        line = replace(solid, box_m=np.array([0.0, 0.0, 0.5 * length_m]))
        return replace(line, disc_m=radius_m) if shape.tag == "cylinder" else replace(line, ball_m=radius_m)
    if shape.tag == "mesh":
        corners = _bounds(_mesh_file(path, shape.get("filename", "")), name) * size("scale", "1 1 1")
        pose = solid.pose.copy()
        pose[:3, 3] = (solid.pose @ np.append(corners.mean(axis=0), 1.0))[:3]
        return replace(solid, pose=pose, box_m=0.5 * np.abs(corners[1] - corners[0]))
    raise EmbodiedError(f"{path}: link {name!r} collides as a <{shape.tag}>; box, cylinder, capsule, sphere, mesh do")


def _mesh_file(urdf: Path, name: str) -> Path:
    """`package://name/path` is looked for in the folder `name` above the URDF, any other path beside it."""
    if not name.startswith("package://"):
        return urdf.parent / name.removeprefix("file://")
    package, _, inside = name.removeprefix("package://").partition("/")
    above = [folder for folder in urdf.resolve().parents if folder.name == package]
    return (above[0] if above else urdf.parent / package) / inside


def _bounds(file: Path, link: str) -> Float:
    """(2, 3) lowest and highest corner of a mesh. Raises EmbodiedError where it cannot be read."""
    try:
        content = file.read_bytes()
        vertices = _vertices(file.suffix.lower(), content)
    except (OSError, ValueError) as error:
        raise EmbodiedError(f"the collision mesh {file} of link {link!r} cannot be read: {error}") from None
    return np.array([vertices.min(axis=0), vertices.max(axis=0)])


def _vertices(kind: str, content: bytes) -> Float:
    """(V, 3) the corners in an STL or OBJ file. Raises ValueError."""
    if kind not in (".stl", ".obj"):
        raise ValueError(f"it is neither .stl nor .obj but {kind or 'nothing'}")
    count = int.from_bytes(content[_STL_HEADER - 4 : _STL_HEADER], "little")
    if kind == ".stl" and len(content) == _STL_HEADER + _STL_TRIANGLE * count:
        rows = np.frombuffer(content, np.uint8, offset=_STL_HEADER).reshape(count, _STL_TRIANGLE)
        vertices = rows[:, 12:48].copy().view("<f4").reshape(-1, 3).astype(np.float64)
    else:
        word = b"v" if kind == ".obj" else b"vertex"
        lines = (line.split() for line in content.splitlines())
        vertices = np.array([[float(number) for number in line[1:4]] for line in lines if line[:1] == [word]])
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not np.isfinite(vertices).all():
        raise ValueError("it holds no corners of three finite numbers")
    return vertices
