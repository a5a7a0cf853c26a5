# SPDX-License-Identifier: Apache-2.0
"""Things: what may stand on the table, one file a kind: its shape, and what can be done with it.

To add one, write a file here that calls `register`; nothing else changes. The simulator builds whatever
shape is declared, and verbs ask for abilities (can it be grasped? does it hold something?), never for names.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from embodied.errors import EmbodiedError
from embodied.motion.urdf import read_urdf
from embodied.registry import Registry, instance_of
from embodied.types import ObjectState

Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A cuboid about its centre."""

    size_m: Triple


@dataclass(frozen=True, kw_only=True)
class Cylinder:
    """Upright, about its centre."""

    radius_m: float
    height_m: float


@dataclass(frozen=True, kw_only=True)
class Sphere:
    """About its centre."""

    radius_m: float


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Triangles, or a file that holds them (.obj). Where it collides, its convex hull does."""

    vertices_m: tuple[Triple, ...] = ()
    triangles: tuple[int, ...] = ()  # three indices each, counter-clockwise seen from outside
    file: Path | None = None
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Urdf:
    """A file with links and joints: a drawer, a lid. It keeps its own colours, masses and collisions."""

    file: Path

    def __post_init__(self) -> None:
        """Raises EmbodiedError for a file with a fault, before a simulator reads it in a way of its own."""
        read_urdf(self.file)


Shape = Box | Cylinder | Sphere | Mesh


@dataclass(frozen=True, kw_only=True)
class Part:
    """A shape in the frame of a thing."""

    shape: Shape
    position_m: Triple = (0.0, 0.0, 0.0)
    turn_rad: Triple = (0.0, 0.0, 0.0)  # roll, pitch, yaw

    def scaled(self, scale: float) -> Self:
        """The same, so many times as large."""
        return replace(self, shape=_scaled(self.shape, scale), position_m=_times(self.position_m, scale))


@dataclass(frozen=True, kw_only=True)
class Grasp:
    """How a hand from above takes it: where the tool centre point is when the fingers close."""

    height_m: float  # above what it stands on
    turn_rad: float = 0.25 * math.pi
    """How far it may lie turned, either way, for a hand that takes it at yaw 0: closing fingers turn it straight."""


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A kind of thing. Heights are above the table, or above whatever it stands on.

    `collision` are convex parts; empty: it cannot be touched, only pointed at, as paint on the table. A mesh
    is the only part or none. Raises EmbodiedError where there are more.
    """

    name: str  # as words name it, "block"
    shape: Shape | Urdf  # as it is seen
    collision: tuple[Part, ...] = ()
    mass_kg: float = 0.0  # 0: it stays where it is
    origin_m: float = 0.0  # height of its frame's origin where it stands on the table
    radius_m: float  # of its footprint
    touch_height_m: float  # of the tool centre point that touches its top
    flat: bool = False
    """Paint, or hollow: pointing into the outline touches it, since it cannot push back there."""
    square: bool = False  # whether the outline is a square, of half a side `outline_m`, or round
    outline_m: float = 0.0
    grasp: Grasp | None = None  # None: it cannot be picked up
    holds: Mapping[str, float] = field(default_factory=dict)
    """Preposition -> height at which the foot of what is put there is let go: {"in": 0.03}, {"on": 0.04}."""
    room_m: float = math.inf
    """Diameter of the largest footprint that it holds."""
    rolls: bool = False
    """Whether it rolls: it does not stay on top of anything."""
    beside_m: float = 0.10
    """How far from its centre something is put down beside it."""
    goal: bool = False  # whether it marks a place that things are pushed to

    def __post_init__(self) -> None:
        assert not (self.grasp is not None and self.mass_kg <= 0.0), f"{self.name} is taken and has no mass"
        if len(self.collision) > 1 and any(isinstance(part.shape, Mesh) for part in self.collision):
            rule = "several parts that collide may be boxes, cylinders and spheres; a mesh must be the only one"
            raise EmbodiedError(f"{self.name}: {rule}")

    def has_room_for(self, other: "Thing") -> bool:
        """Whether the other one's footprint fits where this one holds things."""
        return 2.0 * other.radius_m <= self.room_m

    def scaled(self, scale: float) -> Self:
        """The same in another size: every length times `scale`, its mass times the cube of it.

        Raises EmbodiedError for a scale that is not positive, and for a thing with joints, which has one size.
        """
        if scale == 1.0:
            return self
        if not 0.0 < scale < math.inf:
            raise EmbodiedError(f"{self.name}: its scale must be a number above 0, not {scale}")
        if isinstance(self.shape, Urdf):
            raise EmbodiedError(f"{self.name} has joints, and so one size: its scale is 1, not {scale}")
        return replace(
            self,
            shape=_scaled(self.shape, scale),
            collision=tuple(part.scaled(scale) for part in self.collision),
            mass_kg=self.mass_kg * scale**3,
            origin_m=self.origin_m * scale,
            radius_m=self.radius_m * scale,
            touch_height_m=self.touch_height_m * scale,
            outline_m=self.outline_m * scale,
            grasp=None if self.grasp is None else replace(self.grasp, height_m=self.grasp.height_m * scale),
            holds={preposition: height_m * scale for preposition, height_m in self.holds.items()},
            room_m=self.room_m * scale,
            beside_m=self.beside_m * scale,
        )


def _times(lengths_m: Triple, scale: float) -> Triple:
    x, y, z = lengths_m
    return x * scale, y * scale, z * scale


def _scaled(shape: Shape, scale: float) -> Shape:
    if isinstance(shape, Box):
        return Box(size_m=_times(shape.size_m, scale))
    if isinstance(shape, Cylinder):
        return Cylinder(radius_m=shape.radius_m * scale, height_m=shape.height_m * scale)
    if isinstance(shape, Sphere):
        return Sphere(radius_m=shape.radius_m * scale)
    return replace(shape, scale=shape.scale * scale)


THINGS: Registry[Thing] = Registry("kind of thing", group="embodied.things", package=__name__, build=instance_of(Thing))
"""Kinds of things by name."""


def register(thing: Thing) -> Thing:
    """Make a kind of thing known."""
    return THINGS.register(thing.name, thing)


def thing_of(item: ObjectState) -> Thing:
    """What an object on the table is, in its size. Raises UnknownNameError for a kind that is not registered."""
    return THINGS.get(item.kind).scaled(item.scale)
