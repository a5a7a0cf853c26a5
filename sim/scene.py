# SPDX-License-Identifier: Apache-2.0
"""What the tabletop looks like: sizes, colours, light and cameras, without a physics engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embodied.things import Triple
from embodied.types import Float

RGB: Mapping[str, tuple[float, float, float]] = {
    "red": (0.86, 0.08, 0.08),
    "orange": (1.00, 0.48, 0.02),
    "yellow": (1.00, 0.90, 0.08),
    "green": (0.08, 0.62, 0.18),
    "blue": (0.08, 0.28, 0.90),
    "purple": (0.55, 0.12, 0.72),
    "white": (1.00, 1.00, 1.00),
    "black": (0.05, 0.05, 0.06),
}
TABLE_RGB = (0.66, 0.62, 0.56)


@dataclass(frozen=True, kw_only=True)
class Light:
    """One light from far away, without shadows, and what comes from everywhere."""

    direction: Triple = (0.6, 0.5, 1.6)  # from the table towards the light
    ambient: float = 0.62
    diffuse: float = 0.42

    @property
    def on_table(self) -> float:
        """How bright it makes what lies flat, as a share of what it is painted with."""
        return self.ambient + self.diffuse * self.direction[2] / float(np.linalg.norm(self.direction))

    def options(self) -> dict[str, Any]:
        """As the renderer is told."""
        return {
            "lightDirection": list(self.direction),
            "lightColor": [1.0, 1.0, 1.0],
            "lightAmbientCoeff": self.ambient,
            "lightDiffuseCoeff": self.diffuse,
            "lightSpecularCoeff": 0.0,
        }


LIGHT = Light()

TABLE_X_M = (-0.75, 0.95)
TABLE_Y_M = (-0.90, 0.90)


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera; `mount` is the pose (4, 4) of the optical frame in the world or in the hand."""

    field_of_view_rad: float
    mount: Float
    on_hand: bool = False

    def intrinsics_px(self, size_px: int) -> Float:
        """Matrix K (3, 3) of a square picture; whole numbers are centres of pixels."""
        focal = 0.5 * size_px / np.tan(0.5 * self.field_of_view_rad)
        # The renderer samples at whole pixels from the lower left corner, and its rows are then turned over.
        centre = 0.5 * size_px
        return np.array([[focal, 0.0, centre], [0.0, focal, centre - 1.0], [0.0, 0.0, 1.0]])


def look_at(eye_m: tuple[float, float, float], target_m: tuple[float, float, float]) -> Float:
    """Pose (4, 4) of an optical frame at `eye_m` whose z axis meets `target_m` and whose x is level."""
    eye, target = np.array(eye_m), np.array(target_m)
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, np.cross(forward, right), forward, eye
    return pose


def _wrist_mount() -> Float:
    # Beside the fingers, looking along them and a little inwards, so that the grasp is in the picture.
    tilt = np.radians(16.0)
    pose = np.eye(4)
    pose[:3, 1] = (-np.cos(tilt), 0.0, -np.sin(tilt))
    pose[:3, 2] = (-np.sin(tilt), 0.0, np.cos(tilt))
    pose[:3, 0] = np.cross(pose[:3, 1], pose[:3, 2])
    pose[:3, 3] = (0.075, 0.0, 0.04)
    return pose


CAMERAS: dict[str, Camera] = {
    "front": Camera(field_of_view_rad=float(np.radians(36.0)), mount=look_at((1.29, 0.0, 0.84), (0.54, 0.0, 0.0))),
    "wrist": Camera(field_of_view_rad=float(np.radians(72.0)), mount=_wrist_mount(), on_hand=True),
    # For people: the whole arm and the table. No policy reads it.
    "side": Camera(field_of_view_rad=float(np.radians(40.0)), mount=look_at((1.45, -0.95, 0.85), (0.36, 0.0, 0.22))),
}
"""Cameras by name; whoever needs another one adds it."""


def table_in_view(intrinsics_px: Float, world_from_camera: Float, size_px: int) -> tuple[Float, Float, Float]:
    """Depth (S, S) of the bare table's top, seen by a square camera, infinite where it is not in view; and x and y
    (S, S) of the point of its plane that each pixel looks at.
    """
    columns, rows = np.meshgrid(np.arange(size_px), np.arange(size_px))
    pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
    rays = pixels @ np.linalg.inv(intrinsics_px).T @ world_from_camera[:3, :3].T  # one metre deep each
    eye = world_from_camera[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = -eye[2] / rays[..., 2]
        x, y = (eye[axis] + depth * rays[..., axis] for axis in (0, 1))
    on_table = (x > TABLE_X_M[0]) & (x < TABLE_X_M[1]) & (y > TABLE_Y_M[0]) & (y < TABLE_Y_M[1])
    return np.where((depth > 0.0) & on_table, depth, np.inf), x, y
