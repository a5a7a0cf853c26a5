# SPDX-License-Identifier: Apache-2.0
"""camera_info: raw and rectified, with a distortion that is undone, and with one that is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import CameraInfo

from embodied.errors import ObservationError
from nodes import conversions, lenses

WIDTH, HEIGHT = 160, 120
K = np.array([[150.0, 0, 80.5], [0, 148.0, 58.0], [0, 0, 1]])
DISTORTIONS = {
    "plumb_bob": [-0.28, 0.07, 0.001, -0.002, 0.01],
    "rational_polynomial": [0.4, -0.1, 0.001, 0.0, 0.02, 0.7, -0.05, 0.01],
    "equidistant": [-0.03, 0.01, -0.002, 0.001],
}


def info(**values: object) -> CameraInfo:
    message = conversions.to_camera_info(K, width=WIDTH, height=HEIGHT, stamp_s=0.0, frame_id="f")
    for name, value in values.items():
        setattr(message, name, value)
    return message


def test_a_pinhole_survives() -> None:
    lens = lenses.from_camera_info(info())
    np.testing.assert_array_equal(lens.intrinsics_px, K)
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert lens.undistort(picture) is picture


@pytest.mark.parametrize("model", DISTORTIONS)
def test_a_distorted_picture_is_undone(model: str) -> None:
    """Paint what the lens shows of a smooth scene, undo it, and find the scene as a pinhole shows it."""
    numbers = DISTORTIONS[model]
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    x, y = (u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]
    seen_x, seen_y = x.copy(), y.copy()
    for _ in range(100):  # the rays that the lens bends to each pixel
        bent_x, bent_y = lenses.distorted(seen_x, seen_y, model, tuple(numbers))
        seen_x, seen_y = seen_x + (x - bent_x), seen_y + (y - bent_y)

    def scene(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 128 + 50 * np.sin(6 * x) + 50 * np.cos(7 * y)

    lens = lenses.from_camera_info(info(distortion_model=model, d=numbers))
    found, wanted = lens.undistort(scene(seen_x, seen_y)), scene(x, y)
    seen = found != 0
    assert seen.mean() > 0.8
    assert np.abs(found - wanted)[seen].max() < 4.0, "half a pixel at the steepest"
    assert np.abs(scene(seen_x, seen_y) - wanted)[seen].max() > 8.0, "the lens matters"


def test_a_lens_bends_as_the_books_say() -> None:
    x, y = lenses.distorted(np.array(0.3), np.array(-0.2), "plumb_bob", (-0.28, 0.07, 0.001, -0.002, 0.01))
    r2 = 0.13
    factor = 1 - 0.28 * r2 + 0.07 * r2**2 + 0.01 * r2**3
    assert x == pytest.approx(0.3 * factor + 2 * 0.001 * 0.3 * -0.2 - 0.002 * (r2 + 2 * 0.09))
    assert y == pytest.approx(-0.2 * factor + 0.001 * (r2 + 2 * 0.04) + 2 * -0.002 * 0.3 * -0.2)
    x, y = lenses.distorted(np.array(0.3), np.array(0.4), "equidistant", (0.1, 0.0, 0.0, 0.0))
    angle = math.atan(0.5)
    assert math.hypot(x, y) == pytest.approx(angle * (1 + 0.1 * angle**2))


def test_a_rectified_picture_is_described_by_p() -> None:
    p = np.array([[120.0, 0, 79, -7.2], [0, 120.0, 60, 0], [0, 0, 1, 0]])
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    message = info(distortion_model="plumb_bob", d=DISTORTIONS["plumb_bob"], p=p.ravel(), r=turn.ravel())
    lens = lenses.from_camera_info(message, rectified=True)
    np.testing.assert_array_equal(lens.intrinsics_px, p[:, :3])
    np.testing.assert_array_equal(lens.turn, turn)
    assert lens.distortion == ()
    message.r = [0.0] * 9
    np.testing.assert_array_equal(lenses.from_camera_info(message, rectified=True).turn, np.eye(3))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"k": [0.0] * 9}, "not calibrated: camera_info holds no focal length in pixels in k"),
        ({"k": [math.nan] * 9}, "not calibrated"),
        ({"k": [100.0, 0, 80, 0, 100, 60, 5, 0, 1]}, "k is no pinhole"),
        ({"d": [0.1] * 3}, "'plumb_bob' with 3 numbers; I undo plumb_bob"),
        ({"d": [math.nan] * 5}, "I undo plumb_bob"),
        ({"d": [0.1] * 100_000}, "with 100000 numbers"),
        ({"d": [0.1] * 6, "distortion_model": "thin_prism\x1b"}, r"thin_prism\\x1b' with 6.*image_rect"),
    ],
)
def test_a_lens_that_cannot_be_read_is_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(ObservationError, match=words):
        lenses.from_camera_info(info(**values))
    if "k" not in values:
        with pytest.raises(ObservationError, match="in p"):
            lenses.from_camera_info(info(p=[0.0] * 12), rectified=True)
