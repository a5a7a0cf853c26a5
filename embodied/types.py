# SPDX-License-Identifier: Apache-2.0
"""The typed boundary between the rooms: frozen, keyword-only, units in names.

The world frame is the arm's base frame (REP-103: x forward, y left, z up; metres). Table height is
z = 0. Camera poses are of the optical frame (z forward, x right, y down).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

UPRIGHT: Float = np.array([0.0, 0.0, 0.0, 1.0])
"""The orientation of a thing that stands as it was made."""


@dataclass(frozen=True, kw_only=True)
class CameraFrame:
    """One picture and the geometry needed to turn a pixel into a ray."""

    rgb: NDArray[np.uint8]  # (H, W, 3)
    intrinsics_px: Float  # (3, 3) pinhole matrix K
    world_from_camera: Float  # (4, 4) pose of the optical frame
    stamp_s: float


@dataclass(frozen=True, kw_only=True)
class ObjectState:
    """One object on the table: privileged state, known to simulators and oracles only."""

    name: str  # unique in the scene: "red block", and "red block 2" where there are two
    kind: str  # a registered thing, see embodied.things
    colour: str  # one of embodied.language.vocabulary.COLOURS
    position_m: Float  # (3,) of its frame's origin: the centre of a block, the foot of a bowl
    orientation: Float = field(default_factory=lambda: UPRIGHT)  # (4,) unit quaternion x, y, z, w
    joint_position: Mapping[str, float] = field(default_factory=dict)  # of a thing with joints, rad or m

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

    def plan(self, model: Any, position_rad: Float, gripper_width_m: float) -> JointTrajectory:
        """The joint motion from rest at (N,) for an arm, an `embodied.arm.ArmModel`.

        Raises UnreachableError.
        """


class PrivilegedView(Protocol):
    """What a simulator lets an oracle see; a real arm has none."""

    def objects(self) -> Mapping[str, ObjectState]:
        """Every object on the table, by name."""

    def oracle(self) -> Motion:
        """The motion that solves the task from the present state."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Everything that a policy sees at one instant, stamped at acquisition."""

    cameras: Mapping[str, CameraFrame]
    joint_position_rad: Float  # (N,)
    joint_velocity_rad_s: Float  # (N,)
    gripper_width_m: float  # distance between the fingers
    stamp_s: float
    privileged: PrivilegedView | None = None


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """A command in plain words."""

    text: str
    stamp_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a policy answers: words, and zero or one motion."""

    text: str
    motion: Motion | None
    observation_stamp_s: float
    refused: bool = False  # the text says why, and nothing moves
    done: bool = True  # after the motion, if there is one, nothing of the command is left to do
    timings_ms: Mapping[str, float] = field(default_factory=dict)
