# SPDX-License-Identifier: Apache-2.0
"""What a camera's `camera_info` says of its lens, and a picture without the distortion that it says."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from embodied.errors import ObservationError
from embodied.text import shown
from embodied.types import Float

_NUMBERS = {"plumb_bob": (4, 5), "rational_polynomial": (8,), "equidistant": (4,)}
"""Of each model of distortion that can be undone: how many numbers it has."""
_FOCAL_PX = (1.0, 1e6)
_MOST = 1e4
"""A larger number in a distortion bends nothing."""


@dataclass(frozen=True)
class Lens:
    """The pinhole that a picture is of, or will be once `undistort` was called."""

    intrinsics_px: Float  # (3, 3)
    turn: Float  # (3, 3) from the camera's optical frame to that of the picture, which rectifying may turn
    width: int
    height: int
    model: str = ""
    distortion: tuple[float, ...] = ()  # empty where there is none to undo

    def undistort(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The picture (H, W) or (H, W, C) through a pinhole; zero where the camera did not see."""
        if not self.distortion:
            return picture
        row, column, seen = _origins(
            tuple(self.intrinsics_px.ravel().tolist()), self.model, self.distortion, self.width, self.height
        )
        found = picture[row, column]
        found[~seen] = 0
        return found


def from_camera_info(message: CameraInfo, *, rectified: bool = False) -> Lens:
    """The lens of a picture. A `rectified` one is described by P, a raw one by K and its distortion.

    Raises ObservationError for a camera that is not calibrated, and for a distortion that cannot be undone.
    """
    letter, matrix, turn = "k", np.array(message.k, dtype=np.float64).reshape(3, 3), np.eye(3)
    if rectified:
        letter, matrix = "p", np.array(message.p, dtype=np.float64).reshape(3, 4)[:, :3]
        told = np.array(message.r, dtype=np.float64).reshape(3, 3)
        turn = told if told.any() else turn
        if not np.allclose(turn @ turn.T, np.eye(3), atol=1e-3):
            raise ObservationError("camera_info is broken: r is no rotation")
    fx, fy = matrix[0, 0], matrix[1, 1]
    if not (np.isfinite(matrix).all() and _FOCAL_PX[0] <= min(fx, fy) and max(fx, fy) <= _FOCAL_PX[1]):
        raise ObservationError(f"the camera is not calibrated: camera_info holds no focal length in pixels in {letter}")
    if not np.allclose(matrix, [[fx, 0, matrix[0, 2]], [0, fy, matrix[1, 2]], [0, 0, 1]]):
        raise ObservationError(f"camera_info is broken: {letter} is no pinhole matrix")
    lens = Lens(matrix, turn, message.width, message.height)
    distortion = tuple(message.d[:16])
    if rectified or not any(distortion):
        return lens
    model = message.distortion_model
    if len(message.d) not in _NUMBERS.get(model, ()) or not all(abs(number) < _MOST for number in distortion):
        valid = ", ".join(f"{name} ({' or '.join(map(str, sizes))} numbers)" for name, sizes in _NUMBERS.items())
        raise ObservationError(
            f"camera_info has the distortion '{shown(model, 40)}' with {len(message.d)} numbers; I undo {valid}:"
            " rectify the picture (image_proc), and let the name of its topic end in image_rect"
        )
    return Lens(matrix, turn, message.width, message.height, model, distortion)


@lru_cache(maxsize=4)
def _origins(
    matrix: tuple[float, ...], model: str, distortion: tuple[float, ...], width: int, height: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Of each pixel (H, W) of the pinhole's picture: row and column in the camera's, and whether it is there."""
    fx, _, cx, _, fy, cy, *_ = matrix
    v, u = np.mgrid[:height, :width]
    x, y = distorted((u - cx) / fx, (v - cy) / fy, model, distortion)
    column, row = np.rint(fx * x + cx), np.rint(fy * y + cy)
    seen = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return np.where(seen, row, 0).astype(np.intp), np.where(seen, column, 0).astype(np.intp), seen


def distorted(x: Float, y: Float, model: str, distortion: tuple[float, ...]) -> tuple[Float, Float]:
    """Where the lens brings rays of the slopes x and y; the formulas are those of OpenCV."""
    r2 = x * x + y * y
    if model == "equidistant":
        r = np.sqrt(r2)
        angle = np.arctan(r)
        k = np.array([1.0, *distortion])
        bent = angle * sum(k[i] * angle ** (2 * i) for i in range(5))
        factor = np.where(r > 1e-9, bent / np.maximum(r, 1e-9), 1.0)
        return x * factor, y * factor
    k1, k2, p1, p2, k3, k4, k5, k6 = (*distortion, *[0.0] * (8 - len(distortion)))
    factor = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    return (
        x * factor + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * factor + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    )
