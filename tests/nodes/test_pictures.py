# SPDX-License-Identifier: Apache-2.0
"""Pictures as cameras send them: every encoding, padded and compressed; and those that show nothing."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

pytest.importorskip("rclpy")

from sensor_msgs.msg import CompressedImage, Image

from embodied.errors import ObservationError
from nodes import conversions, pictures

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
Y, X = np.mgrid[:48, :64]
SMOOTH = np.stack([60 + 2 * X, 200 - 2 * Y, 80 + X + Y], axis=2).astype(np.uint8)


def image(rows: np.ndarray, encoding: str, width: int, padding: int = 0, **values: int) -> Image:
    rows = np.pad(rows.reshape(len(rows), -1), ((0, 0), (0, padding)), constant_values=7)
    step = rows.shape[1]
    return Image(height=len(rows), width=width, step=step, encoding=encoding, data=rows.tobytes(), **values)


def encoded(encoding: str, rgb: np.ndarray) -> np.ndarray:
    """What a driver would send of the colours, row by row: (H, bytes)."""
    height, width, _ = rgb.shape
    if encoding.startswith("bayer"):
        pattern, rows = encoding[6:10], np.empty((height, width), np.uint8)
        for i, letter in enumerate(pattern):
            rows[i // 2 :: 2, i % 2 :: 2] = rgb[i // 2 :: 2, i % 2 :: 2, "rgb".index(letter)]
        return rows
    r, g, b = np.moveaxis(rgb.astype(float), 2, 0)
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u, v = 128 - 0.148 * r - 0.291 * g + 0.439 * b, 128 + 0.439 * r - 0.368 * g - 0.071 * b
    fours = np.empty((height, width // 2, 4))
    luma, chroma = ((0, 2), (1, 3)) if encoding in ("yuyv", "yuv422_yuy2") else ((1, 3), (0, 2))
    fours[:, :, luma[0]], fours[:, :, luma[1]] = y[:, ::2], y[:, 1::2]
    fours[:, :, chroma[0]], fours[:, :, chroma[1]] = u[:, ::2], v[:, ::2]
    return fours.round().astype(np.uint8).reshape(height, -1)


def test_a_picture_survives() -> None:
    message = conversions.to_image(RGB, stamp_s=1.5, frame_id="camera_front_optical_frame")
    assert (message.width, message.height, message.step, message.encoding) == (8, 6, 24, "rgb8")
    np.testing.assert_array_equal(pictures.from_image(message), RGB)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8"])
def test_colours_in_any_order_survive(encoding: str, padding: int) -> None:
    alpha = np.full((6, 8, 1), 9, np.uint8)
    rows = RGB[:, :, ["rgb".index(letter) for letter in encoding[:3]]]
    rows = np.dstack([rows, alpha]) if encoding[3] == "a" else rows
    np.testing.assert_array_equal(pictures.from_image(image(rows, encoding, 8, padding)), RGB)


@pytest.mark.parametrize("big", [0, 1])
def test_grey_pictures_survive(big: int) -> None:
    grey = RGB[:, :, 0]
    wanted = np.dstack([grey] * 3)
    np.testing.assert_array_equal(pictures.from_image(image(grey, "mono8", 8)), wanted)
    deep = (grey.astype(np.uint16) * 256 + 77).astype(">u2" if big else "<u2").view(np.uint8)
    np.testing.assert_array_equal(pictures.from_image(image(deep, "mono16", 8, is_bigendian=big)), wanted)


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_a_smooth_picture_survives_yuv(encoding: str) -> None:
    seen = pictures.from_image(image(encoded(encoding, SMOOTH), encoding, 64, 3))
    assert np.abs(seen.astype(int) - SMOOTH).max() <= 6


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_smooth_picture_survives_a_colour_filter(pattern: str) -> None:
    encoding = f"bayer_{pattern}8"
    seen = pictures.from_image(image(encoded(encoding, SMOOTH), encoding, 64))
    assert np.abs(seen.astype(int) - SMOOTH).max() <= 3


@pytest.mark.parametrize(("kind", "off"), [("PNG", 0), ("JPEG", 12)])
def test_a_compressed_picture_survives(kind: str, off: int) -> None:
    file = io.BytesIO()
    PillowImage.fromarray(SMOOTH).save(file, kind)
    message = CompressedImage(format=kind.lower(), data=file.getvalue())
    assert np.abs(pictures.from_compressed(message).astype(int) - SMOOTH).max() <= off
    for cut in (10, len(file.getvalue()) // 2, len(file.getvalue()) - 40):
        with pytest.raises(ObservationError, match=r"broken|no jpeg or png"):
            pictures.from_compressed(CompressedImage(format="jpeg", data=file.getvalue()[:cut]))


def test_a_compressed_picture_of_any_size_is_not_unpacked() -> None:
    file = io.BytesIO()
    PillowImage.new("L", (20_000, 20_000)).save(file, "PNG")
    with pytest.raises(ObservationError, match=r"20000 x 20000; I take at most|no jpeg or png that I can read"):
        pictures.check_compressed(CompressedImage(format="png", data=file.getvalue()))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "16UC1"}, "I read bayer_bggr8.*rgb8, rgba8"),
        ({"encoding": "\x1b[31m" + "x" * 10**6}, r"\\x1b"),
        ({"height": 7}, "not whole"),
        ({"width": 9}, "not whole"),
        ({"height": 0, "data": b""}, "not whole"),
        ({"height": 2**31, "width": 2**31}, "at most 16777216 pixels"),
        ({"step": 0}, "not whole"),
    ],
)
def test_a_broken_picture_is_refused(change: dict[str, object], words: str) -> None:
    message = conversions.to_image(RGB, stamp_s=0.0, frame_id="")
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ObservationError, match=words) as caught:
        pictures.check_image(message)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("encoding", ["rgb8", "yuyv", "mono8"])
def test_a_picture_that_came_in_part_is_torn(encoding: str) -> None:
    rows = (
        SMOOTH.reshape(48, -1)
        if encoding == "rgb8"
        else encoded("yuyv" if encoding == "yuyv" else "bayer_rggb8", SMOOTH)
    )
    rows = rows.copy()
    rows[24:] = 0
    with pytest.raises(ObservationError, match="torn: 24 of its 48 rows are empty"):
        pictures.from_image(image(rows, encoding, 64))


@pytest.mark.parametrize("noise", [0, 3])
@pytest.mark.parametrize(("level", "words"), [(0, "black"), (8, "black"), (128, "blank"), (252, "blank")])
def test_a_picture_that_shows_nothing_is_refused(level: int, words: str, noise: int) -> None:
    rgb = (level + np.random.default_rng(1).integers(0, noise + 1, (48, 64, 3))).astype(np.uint8)
    with pytest.raises(ObservationError, match=words):
        pictures.check_content(rgb)


def test_a_dark_room_and_a_white_table_are_seen() -> None:
    pictures.check_content(SMOOTH // 6)
    white = np.full((48, 64, 3), 250, np.uint8)
    white[20:24, 20:24] = (250, 40, 40)
    pictures.check_content(white)


def test_depth_survives_the_way_through_a_message() -> None:
    depth = np.array([[0.5, np.inf, 1.25], [2.0, 0.01, 3.5]], dtype=np.float32)
    message = conversions.to_depth(depth, stamp_s=2.5, frame_id="optical")
    assert (message.encoding, message.step, message.header.stamp.sec) == ("32FC1", 12, 2)
    assert np.array_equal(pictures.from_depth(message), depth)


@pytest.mark.parametrize("big", [0, 1])
def test_depth_of_a_driver_that_speaks_in_millimetres(big: int) -> None:
    rows = np.array([[500, 0], [65535, 1]], dtype=">u2" if big else "<u2").view(np.uint8)
    seen = pictures.from_depth(image(rows, "16UC1", 2, 3, is_bigendian=big))
    np.testing.assert_allclose(seen, [[0.5, np.inf], [65.535, 0.001]], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"encoding": "rgb8"}, "valid: 32FC1, 16UC1"), ({"data": b"123"}, "not whole"), ({"width": 0}, "not whole")],
)
def test_depth_that_is_none_is_refused(change: dict[str, object], words: str) -> None:
    message = conversions.to_depth(np.ones((2, 2), np.float32), stamp_s=0.0, frame_id="optical")
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ObservationError, match=words):
        pictures.from_depth(message)


encodings = st.sampled_from([*pictures._ENCODINGS, "32FC1", "16UC1", "jpeg", ""])
sizes = st.integers(0, 9)


@settings(max_examples=1000, deadline=None)
@given(encodings, sizes, sizes, st.integers(0, 40), st.binary(max_size=300), st.booleans(), st.integers(0, 1))
def test_any_picture_is_read_or_refused(
    encoding: str, width: int, height: int, step: int, data: bytes, fits: bool, big: int
) -> None:
    data = (data * 400)[: height * step] if fits and data else data
    message = Image(width=width, height=height, step=step, encoding=encoding, data=data, is_bigendian=big)
    for read in (pictures.from_image, pictures.from_depth):
        with contextlib.suppress(ObservationError):
            assert read(message).shape[:2] == (height, width)


@settings(max_examples=500, deadline=None)
@given(at=st.integers(0, 2000), put=st.binary(min_size=1, max_size=8), kind=st.sampled_from(["PNG", "JPEG"]))
def test_a_compressed_picture_with_other_bytes_is_read_or_refused(at: int, put: bytes, kind: str) -> None:
    file = io.BytesIO()
    PillowImage.fromarray(SMOOTH).save(file, kind)
    data = bytearray(file.getvalue())
    data[at % len(data) : at % len(data) + len(put)] = put
    with contextlib.suppress(ObservationError):
        assert pictures.from_compressed(CompressedImage(format=kind, data=bytes(data))).shape[2] == 3
