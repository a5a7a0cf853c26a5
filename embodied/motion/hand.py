# SPDX-License-Identifier: Apache-2.0
"""Poses of the hand, and the way that it takes past them."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from embodied.geometry import quaternion, rotation_matrix, turn_about
from embodied.types import Float

TRAVEL_SPEED_M_S = 0.6
_DOWNRIGHT_RAD = 0.02
"""A hand that is this little tilted was meant to point straight down."""


@dataclass(frozen=True, kw_only=True)
class HandPose:
    """A pose of the tool centre point: z along the fingers, which open along y."""

    position_m: Float  # (3,)
    orientation: Float  # (4,) unit quaternion x, y, z, w

    @classmethod
    def down(cls, position_m: Float, yaw_rad: float = 0.0) -> Self:
        """The hand pointing straight down; at yaw 0 the fingers open along the world's y."""
        half = 0.5 * yaw_rad
        # A turn by pi about x, then by yaw about the vertical.
        return cls(
            position_m=np.asarray(position_m, dtype=np.float64),
            orientation=np.array([np.cos(half), np.sin(half), 0.0, 0.0]),
        )

    @classmethod
    def from_matrix(cls, pose: Float) -> Self:
        """The hand whose tool centre point is at `pose` (4, 4); straightened where it nearly points down."""
        if pose[2, 2] < -np.cos(_DOWNRIGHT_RAD):
            return cls.down(pose[:3, 3].copy(), float(np.arctan2(pose[1, 0], pose[0, 0])))
        return cls(position_m=pose[:3, 3].copy(), orientation=quaternion(pose[:3, :3]))

    def at(self, position_m: Float) -> Self:
        """The same direction at another place."""
        return replace(self, position_m=np.asarray(position_m, dtype=np.float64))

    def turned(self, axis: Float, angle_rad: float) -> Self:
        """Turned in its place about `axis` (3,), a unit vector in the world: to tilt, to pour."""
        turned = rotation_matrix(turn_about(axis, angle_rad)) @ rotation_matrix(self.orientation)
        return replace(self, orientation=quaternion(turned))

    @property
    def yaw_rad(self) -> float:
        """Turn about the vertical of the direction in which x points."""
        x, y, z, w = self.orientation
        return float(np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z)))

    def matrix(self) -> Float:
        """Pose (4, 4) of the tool centre point."""
        pose = np.eye(4)
        pose[:3, :3] = rotation_matrix(self.orientation)
        pose[:3, 3] = self.position_m
        return pose


@dataclass(frozen=True, kw_only=True)
class Waypoint:
    """A place that the hand goes to in a straight line, turning evenly on the way.

    The fingers are told to take `gripper_width_m` when the hand arrives. With `dwell_s` the hand stops
    there that long; without, it passes by in a rounded corner.
    """

    pose: HandPose
    gripper_width_m: float
    speed_m_s: float = TRAVEL_SPEED_M_S
    dwell_s: float = 0.0


def turn_between(a: Float, b: Float) -> float:
    """Angle (rad, 0 to pi) from one orientation (4,) to another."""
    chord = min(float(np.linalg.norm(a - b)), float(np.linalg.norm(a + b)))
    return 4.0 * float(np.arcsin(min(0.5 * chord, 1.0)))


def slerp(a: Float, b: Float, share: Float) -> Float:
    """(N, 4) orientations at `share` (N,) of the way from `a` (4,) to `b` (4,), the shorter way round."""
    b = b if float(a @ b) >= 0.0 else -b
    angle = 0.5 * turn_between(a, b)
    if angle < 1e-9:
        return np.tile(b, (len(share), 1))
    weights = np.sin(np.column_stack([1.0 - share, share]) * angle) / np.sin(angle)
    turned: Float = weights @ np.stack([a, b])
    return turned
