# SPDX-License-Identifier: Apache-2.0
"""Rotations, and the pinhole camera: world points to pixels and back to a horizontal plane.

Quaternions are x, y, z, w (ROS, PyBullet). Integer pixel coordinates are pixel centres.
"""

import numpy as np

from embodied.errors import ObservationError
from embodied.types import Depth, Float, Picture


def project(frame: Picture, points_m: Float) -> Float:
    """(N, 3) world points to (N, 2) pixels (u, v) of `frame`."""
    camera_from_world = np.linalg.inv(frame.world_from_camera)
    points = points_m @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    pixels = points @ frame.intrinsics_px.T
    uv: Float = pixels[:, :2] / pixels[:, 2:]
    return uv


def unproject(frame: Picture, pixels: Float, height_m: float) -> Float:
    """(N, 2) pixels to (N, 2) world x, y on the plane z = `height_m`.

    Raises ValueError for a pixel whose ray does not meet the plane in front of the camera, ObservationError for
    a picture whose geometry is not known.
    """
    if np.isnan(frame.intrinsics_px).any() or np.isnan(frame.world_from_camera).any():
        raise ObservationError("where the camera stands is not known, so no pixel can be pointed at in the world")
    rays = _rays(frame, pixels)
    origin = frame.world_from_camera[:3, 3]
    with np.errstate(divide="ignore"):
        distance = (height_m - origin[2]) / rays[:, 2]
    if not (np.isfinite(distance).all() and (distance > 0).all()):
        raise ValueError(f"a pixel of {pixels.tolist()} does not look at the plane z = {height_m} m")
    points: Float = origin[:2] + distance[:, None] * rays[:, :2]
    return points


def points_seen(depth: Depth) -> Float:
    """(M, 3) where in the world the pixels are from which something came back.

    Raises ObservationError for a depth whose geometry is not known, or is none.
    """
    pose, intrinsics = depth.world_from_camera, depth.intrinsics_px
    if not (np.isfinite(intrinsics).all() and np.isfinite(pose).all() and np.linalg.det(intrinsics)):
        raise ObservationError("where the camera stands and how it sees is not known, so its depth has no place")
    v, u = np.nonzero(np.isfinite(depth.depth_m) & (depth.depth_m > 0.0))
    points: Float = pose[:3, 3] + _rays(depth, np.column_stack([u, v])) * depth.depth_m[v, u, None].astype(np.float64)
    return points


def _rays(seen: Picture | Depth, pixels: Float) -> Float:
    """(N, 3) from the camera through (N, 2) pixels, in the world's frame, one metre deep each."""
    rays: Float = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(seen.intrinsics_px).T
    return rays @ seen.world_from_camera[:3, :3].T  # type: ignore[no-any-return]


def beside(place_m: Float, corners_m: Float) -> tuple[Float, Float]:
    """Of each straight line (N,) from one of the corners (N + 1, 3) to the next: which share of it is nearest to a
    place (3,), and how far away that is."""
    begin, way = corners_m[:-1], np.diff(corners_m, axis=0)
    along = ((place_m - begin) * way).sum(axis=1) / np.maximum((way**2).sum(axis=1), 1e-12)
    share: Float = np.clip(along, 0.0, 1.0)
    away: Float = np.linalg.norm(begin + share[:, None] * way - place_m, axis=1)
    return share, away


def quaternion(rotation: Float) -> Float:
    """Unit quaternion (4,) of a rotation (3, 3)."""
    # The largest of the four squared components keeps the division far from zero.
    m, trace = rotation, float(np.trace(rotation))
    squares = np.array([*(1 + 2 * np.diag(m) - trace), 1 + trace])
    rows = (
        (squares[0], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]),
        (m[0, 1] + m[1, 0], squares[1], m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]),
        (m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], squares[2], m[1, 0] - m[0, 1]),
        (m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], squares[3]),
    )
    q = np.array(rows[int(squares.argmax())], dtype=np.float64)
    return q / np.sqrt(q @ q)


def rotation_matrix(orientation: Float) -> Float:
    """Rotation (3, 3) of a unit quaternion (4,)."""
    x, y, z, w = orientation
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def turn_about(axis: Float, angle_rad: float) -> Float:
    """Unit quaternion (4,) of a turn about the unit vector `axis` (3,)."""
    return np.append(np.sin(0.5 * angle_rad) * np.asarray(axis, dtype=np.float64), np.cos(0.5 * angle_rad))


def upright(yaw_rad: float) -> Float:
    """The orientation (4,) of something that stands, turned by `yaw_rad` about the vertical."""
    return turn_about(np.array([0.0, 0.0, 1.0]), yaw_rad)
