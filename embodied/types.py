# SPDX-License-Identifier: Apache-2.0
"""The typed boundary between the rooms: frozen, keyword-only, units in names.

The world frame is the arm's base frame (REP-103: x forward, y left, z up; metres). Table height is
z = 0. Camera poses are of the optical frame (z forward, x right, y down).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

SKILLS = ("touch", "pick", "pick_place", "push")
"""Motion primitives; `touch` and `pick` take one pointed location, the others two."""

SKILL_POINTS: Mapping[str, int] = {"touch": 1, "pick": 1, "pick_place": 2, "push": 2}


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

    name: str  # unique in the scene, "red block"
    kind: str  # one of embodied.vocabulary.KINDS
    colour: str  # one of embodied.vocabulary.COLOURS
    position_m: Float  # (3,) centre
    yaw_rad: float = 0.0


class PrivilegedView(Protocol):
    """What a simulator lets an oracle see; a real arm has none."""

    def objects(self) -> Mapping[str, ObjectState]:
        """Every object on the table, by name."""

    def oracle(self) -> SkillCall:
        """The motion that solves the task from the present state."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Everything that a policy sees at one instant, stamped at acquisition."""

    cameras: Mapping[str, CameraFrame]
    joint_position_rad: Float  # (7,)
    joint_velocity_rad_s: Float  # (7,)
    gripper_width_m: float  # distance between the fingers
    stamp_s: float
    privileged: PrivilegedView | None = None


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """A command in plain words."""

    text: str
    stamp_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SkillCall:
    """A motion primitive with pointed locations of the tool centre point.

    `points_m` is (N, 3) with N = SKILL_POINTS[skill]. z is the height of the tool centre point
    where the fingers close, open or touch.
    """

    skill: str
    points_m: Float

    def __post_init__(self) -> None:
        if self.skill not in SKILL_POINTS:
            raise ValueError(f"unknown skill {self.skill!r}; valid: {', '.join(SKILLS)}")
        expected = (SKILL_POINTS[self.skill], 3)
        if self.points_m.shape != expected:
            raise ValueError(f"{self.skill} takes points of shape {expected}, got {self.points_m.shape}")
        if not np.isfinite(self.points_m).all():
            raise ValueError(f"{self.skill} got a location that is not finite: {self.points_m.tolist()}")


@dataclass(frozen=True, kw_only=True)
class ActionChunk:
    """A short run of hand displacements for `ee_delta` control at `rate_hz`."""

    ee_delta: NDArray[np.float32]  # (T, 5): dx, dy, dz in m, dyaw in rad, gripper in [-1 close, 1 open]
    rate_hz: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a policy answers: words, and zero or one motion."""

    text: str
    motion: SkillCall | ActionChunk | None
    observation_stamp_s: float
    refused: bool = False  # the text says why, and nothing moves
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JointTrajectory:
    """A time-parameterised motion of the arm and its gripper; starts where the arm is."""

    joint_names: Sequence[str]  # 7 arm joints
    time_s: Float  # (T,) strictly increasing, first is > 0
    position_rad: Float  # (T, 7)
    velocity_rad_s: Float  # (T, 7)
    gripper_width_m: Float  # (T,) wanted distance between the fingers
