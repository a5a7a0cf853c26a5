# SPDX-License-Identifier: Apache-2.0
"""The pinhole camera: world points to pixels and back to a horizontal plane.

Integer pixel coordinates are pixel centres.
"""

import numpy as np

from embodied.types import CameraFrame, Float


def project(frame: CameraFrame, points_m: Float) -> Float:
    """(N, 3) world points to (N, 2) pixels (u, v) of `frame`."""
    camera_from_world = np.linalg.inv(frame.world_from_camera)
    points = points_m @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    pixels = points @ frame.intrinsics_px.T
    uv: Float = pixels[:, :2] / pixels[:, 2:]
    return uv


def unproject(frame: CameraFrame, pixels: Float, height_m: float) -> Float:
    """(N, 2) pixels to (N, 2) world x, y on the plane z = `height_m`.

    Raises ValueError for a pixel whose ray does not meet the plane in front of the camera.
    """
    rays = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(frame.intrinsics_px).T
    rays = rays @ frame.world_from_camera[:3, :3].T
    origin = frame.world_from_camera[:3, 3]
    with np.errstate(divide="ignore"):
        distance = (height_m - origin[2]) / rays[:, 2]
    if not (np.isfinite(distance).all() and (distance > 0).all()):
        raise ValueError(f"a pixel of {pixels.tolist()} does not look at the plane z = {height_m} m")
    points: Float = origin[:2] + distance[:, None] * rays[:, :2]
    return points
