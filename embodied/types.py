# SPDX-License-Identifier: Apache-2.0
"""The typed boundary between the rooms: frozen, keyword-only, units in names.

The world frame is the arm's base frame (REP-103: x forward, y left, z up; metres). Table height is
z = 0. Camera poses are of the optical frame (z forward, x right, y down).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from embodied.errors import ObservationError

T = TypeVar("T")
Float = NDArray[np.float64]

UPRIGHT: Float = np.array([0.0, 0.0, 0.0, 1.0])
"""The orientation of a thing that stands as it was made."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture and the geometry needed to turn a pixel into a ray; NaN where that is not known."""

    rgb: NDArray[np.uint8]  # (H, W, 3)
    intrinsics_px: Float  # (3, 3) pinhole matrix K
    world_from_camera: Float  # (4, 4) pose of the optical frame
    stamp_s: float


@dataclass(frozen=True, kw_only=True)
class Depth:
    """How far away things are along the camera's axis, pixel by pixel (REP-118)."""

    depth_m: NDArray[np.float32]  # (H, W), infinite where nothing came back
    intrinsics_px: Float  # (3, 3) pinhole matrix K
    world_from_camera: Float  # (4, 4) pose of the optical frame
    stamp_s: float


@dataclass(frozen=True, kw_only=True)
class Joints:
    """Proprioception: the arm's N joints and its fingers."""

    position_rad: Float  # (N,)
    velocity_rad_s: Float  # (N,)
    gripper_width_m: float  # distance between the fingers
    stamp_s: float


@dataclass(frozen=True, kw_only=True)
class Vector:
    """Any other sense: a few numbers, each with its name and unit, such as `left_finger_N`."""

    values: Float  # (N,)
    names: tuple[str, ...]  # N
    stamp_s: float


Reading = Picture | Depth | Joints | Vector
"""What one sense said at one instant, stamped at acquisition."""

JOINTS = "joints"
"""The reading that every arm gives."""
DEPTH = "_depth"
"""What the name of a camera's `Depth` ends with."""


@dataclass(frozen=True, kw_only=True)
class ObjectState:
    """One object on the table: privileged state, known to simulators and oracles only."""

    name: str  # unique in the scene: "red block", and "red block 2" where there are two
    kind: str  # a registered thing, see embodied.things
    colour: str  # one of embodied.language.vocabulary.COLOURS
    position_m: Float  # (3,) of its frame's origin: the centre of a block, the foot of a bowl
    orientation: Float = field(default_factory=lambda: UPRIGHT)  # (4,) unit quaternion x, y, z, w
    joint_position: Mapping[str, float] = field(default_factory=dict)  # of a thing with joints, rad or m
    scale: float = 1.0  # how large it is; 1 is the usual size of its kind

    @property
    def yaw_rad(self) -> float:
        """Turn about the vertical."""
        x, y, z, w = self.orientation
        return float(np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z)))


@dataclass(frozen=True, kw_only=True)
class JointTrajectory:
    """A time-parameterised motion of the arm and its gripper; starts where the arm is."""

    joint_names: Sequence[str]  # N arm joints
    time_s: Float  # (T,) strictly increasing, first is > 0
    position_rad: Float  # (T, N)
    velocity_rad_s: Float  # (T, N)
    gripper_width_m: Float  # (T,) wanted distance between the fingers


class Motion(Protocol):
    """Something that an arm can do: a skill at pointed places, or a chunk of small steps."""

    @property
    def grasp_m(self) -> Float | None:
        """(3,) where the fingers close on something; None where they do not, or where it is not known."""

    @property
    def needs_empty_hand(self) -> bool:
        """Whether what the hand holds has to be put back before."""

    def plan(self, model: Any, position_rad: Float, gripper_width_m: float) -> JointTrajectory:
        """The joint motion from rest at (N,) for an arm, an `embodied.arm.ArmModel`.

        Raises UnreachableError.
        """


@runtime_checkable
class StreamedMotion(Motion, Protocol):
    """A motion that may take over from another one while the arm moves."""

    def plan_moving(self, model: Any, seen: Joints, told: Joints) -> JointTrajectory:
        """The joint motion, whose times count from the stamp of what was `seen`.

        `told` is where the arm had been told to be at that instant, and how fast. Raises UnreachableError.
        """


class PrivilegedView(Protocol):
    """What a simulator lets an oracle see; a real arm has none."""

    def objects(self) -> Mapping[str, ObjectState]:
        """Every object on the table, by name."""

    def oracle(self) -> Motion:
        """The motion that solves the task, or its next step, from the present state."""

    def steps_left(self) -> int:
        """How many motions it takes from the present state, `oracle`'s included."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A whole motion that was made for the command under way."""

    text: str  # the words of the decision that led to it
    failed: bool = False  # it was refused, or the fingers closed on nothing


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Everything that a policy sees at one instant, by the names of the senses; any may be missing."""

    readings: Mapping[str, Reading]
    """The arm's own state is called "joints", a picture as its camera, its depth "front_depth"."""
    privileged: PrivilegedView | None = None
    steps: tuple[Step, ...] = ()
    """What was done for the command under way, oldest first."""

    @property
    def joints(self) -> Joints:
        """The state of the arm. Raises ObservationError where it is missing."""
        return self._of(JOINTS, Joints)

    def picture(self, camera: str) -> Picture:
        """What a camera sees. Raises ObservationError where it is missing."""
        return self._of(camera, Picture)

    @property
    def stamp_s(self) -> float:
        """When the arm was felt; the oldest reading's stamp where there is no arm to feel."""
        felt = self.readings.get(JOINTS)
        return felt.stamp_s if felt else min((each.stamp_s for each in self.readings.values()), default=0.0)

    def _of(self, name: str, kind: type[T]) -> T:
        found = self.readings.get(name)
        if not isinstance(found, kind):
            has = ", ".join(sorted(self.readings)) or "nothing"
            raise ObservationError(f"there is no {kind.__name__.lower()} called {name!r}; there are: {has}")
        return found


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """A command in plain words."""

    text: str
    stamp_s: float = 0.0
    earlier: str = ""  # what was said and done just before: the text may follow on it, or be a new command
    asked: bool = False  # whether that ended with a question back


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a policy answers: words, and zero or one motion."""

    text: str
    motion: Motion | None
    observation_stamp_s: float
    refused: bool = False  # the text says why, and nothing moves
    asked: bool = False  # a refusal whose text is a question: what is said next may answer it
    done: bool = True  # after the motion, if there is one, nothing of the command is left to do
    timings_ms: Mapping[str, float] = field(default_factory=dict)
