# SPDX-License-Identifier: Apache-2.0
"""Pictures and depths out of messages, in the encodings that cameras send.

What a message says of itself is checked when it comes, which costs nothing; its pixels are converted by whoever asks.
"""

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from sensor_msgs.msg import CompressedImage, Image

from embodied.errors import ObservationError
from embodied.text import shown

Rgb = NDArray[np.uint8]
"""(H, W, 3)"""

MOST_PIXELS = 1 << 24
"""4096 x 4096."""
MOST_COMPRESSED_BYTES = 1 << 25
_DARK, _FLAT = 20.0, 6.0
"""Of 255: the noise of a sensor in the dark stays below the first, that of a grey wall is about the second."""
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, zlib.error)
"""What Pillow raises for files that are broken."""


def _picked(*channels: int) -> Callable[[Rgb], Rgb]:
    return lambda pixels: pixels[:, :, list(channels)]


def _yuv(y: int) -> Callable[[Rgb], Rgb]:
    """Of two pixels in four bytes, Y at `y` and `y` + 2, U and V between: BT.601, as cv_bridge reads it."""

    def convert(pixels: Rgb) -> Rgb:
        height, width, _ = pixels.shape
        if width % 2:
            raise ObservationError(f"the picture is {width} pixels wide; of yuv422 an even number is valid")
        fours = pixels.reshape(height, width // 2, 4).astype(np.float32)
        luma = 1.164 * (fours[:, :, [y, y + 2]].reshape(height, width) - 16.0)
        u, v = (np.repeat(fours[:, :, 1 - y + i] - 128.0, 2, axis=1) for i in (0, 2))
        rgb = np.stack([luma + 1.596 * v, luma - 0.813 * v - 0.391 * u, luma + 2.018 * u], axis=2)
        return np.clip(rgb + 0.5, 0.0, 255.0).astype(np.uint8)

    return convert


def _bayer(pattern: str) -> Callable[[Rgb], Rgb]:
    """Each colour is the mean of the nearest pixels that have it; `pattern` names two rows of two."""

    def convert(pixels: Rgb) -> Rgb:
        height, width, _ = pixels.shape
        rgb = np.empty((height, width, 3), dtype=np.uint8)
        for channel, letter in enumerate("rgb"):
            has = np.zeros((height, width), dtype=np.float32)
            for i in (at for at, each in enumerate(pattern) if each == letter):
                has[i // 2 :: 2, i % 2 :: 2] = 1.0
            total, weight = _smoothed(has * pixels[:, :, 0]), _smoothed(has)
            rgb[:, :, channel] = total / np.maximum(weight, 1e-6) + 0.5
        return rgb

    return convert


def _smoothed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights 1, 2, 1 along both axes."""
    for axis in (0, 1):
        padded = np.pad(values, [(1, 1) if each == axis else (0, 0) for each in (0, 1)])
        before, after = np.split(padded, [-2], axis)[0], np.split(padded, [2], axis)[1]
        values = before + 2.0 * values + after
    return values


_ENCODINGS: dict[str, tuple[int, Callable[[Rgb], Rgb]]] = {
    "rgb8": (3, _picked(0, 1, 2)),
    "bgr8": (3, _picked(2, 1, 0)),
    "rgba8": (4, _picked(0, 1, 2)),
    "bgra8": (4, _picked(2, 1, 0)),
    "mono8": (1, _picked(0, 0, 0)),
    "mono16": (2, _picked(1, 1, 1)),  # the high byte
    **{name: (2, _yuv(1)) for name in ("yuv422", "uyvy")},
    **{name: (2, _yuv(0)) for name in ("yuv422_yuy2", "yuyv")},
    **{f"bayer_{pattern}8": (1, _bayer(pattern)) for pattern in ("rggb", "bggr", "gbrg", "grbg")},
}
"""Of each encoding: bytes of a pixel, and how (H, W, bytes) become colours."""


@dataclass(frozen=True)
class _DepthEncoding:
    kind: np.dtype[Any]
    unit_m: float


_DEPTHS = {
    "32FC1": _DepthEncoding(np.dtype(np.float32), 1.0),
    "16UC1": _DepthEncoding(np.dtype(np.uint16), 0.001),
}
"""REP-118."""


def check_image(message: Image) -> Image:
    """The message. Raises ObservationError unless it is a whole picture in an encoding that is known."""
    if message.encoding not in _ENCODINGS:
        given = shown(message.encoding, 40)
        raise ObservationError(f"the picture's encoding is '{given}'; I read {', '.join(sorted(_ENCODINGS))}")
    return _whole("picture", message, _ENCODINGS[message.encoding][0])


def check_depth(message: Image) -> Image:
    """The message. Raises ObservationError unless it is a whole depth image in an encoding that is known."""
    if message.encoding not in _DEPTHS:
        given, valid = shown(message.encoding, 40), ", ".join(_DEPTHS)
        raise ObservationError(f"a depth image has the encoding '{given}'; valid: {valid}")
    return _whole("depth image", message, _DEPTHS[message.encoding].kind.itemsize)


def _whole(what: str, message: Image, pixel_bytes: int) -> Image:
    height, width, step, size = message.height, message.width, message.step, len(message.data)
    if height * width > MOST_PIXELS:
        raise ObservationError(f"the {what} is {width} x {height}; I take at most {MOST_PIXELS} pixels")
    if not (height and width and step >= width * pixel_bytes and size == height * step):
        raise ObservationError(
            f"the {what} is not whole: {width} x {height} {message.encoding}, step {step}, {size} bytes"
        )
    return message


def rows_of(message: Image, pixel_bytes: int) -> Rgb:
    """The picture's bytes (H, W * `pixel_bytes`) without padding."""
    height, step = message.height, message.step
    rows = np.frombuffer(message.data, dtype=np.uint8, count=height * step).reshape(height, step)
    return rows[:, : message.width * pixel_bytes]


def from_image(message: Image) -> Rgb:
    """The picture (H, W, 3) in rgb. Raises ObservationError where there is none, or where it shows nothing."""
    check_image(message)
    pixel_bytes, convert = _ENCODINGS[message.encoding]
    rows = rows_of(message, pixel_bytes)
    # Bytes that never came are zero; a sensor has noise in the dark as well.
    empty = int((~rows.any(axis=1)).sum())
    if message.height >= 16 and message.height > empty >= message.height // 16:
        raise ObservationError(f"the picture is torn: {empty} of its {message.height} rows are empty")
    pixels = rows.reshape(message.height, message.width, pixel_bytes)
    if message.is_bigendian and message.encoding == "mono16":
        pixels = pixels[:, :, ::-1]
    return np.ascontiguousarray(convert(pixels))


def check_compressed(message: CompressedImage) -> CompressedImage:
    """The message. Raises ObservationError unless it begins as a jpeg or png file of a size that is taken."""
    _opened(message)
    return message


def from_compressed(message: CompressedImage) -> Rgb:
    """The picture (H, W, 3) in rgb. Raises ObservationError where the file is cut or broken."""
    image = _opened(message)
    try:
        if image.mode.startswith("I"):  # 16 bits
            return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
        return np.ascontiguousarray(image.convert("RGB"))
    except _BROKEN as error:
        raise ObservationError(f"the compressed picture is broken: {shown(str(error), 100)}") from None


def _opened(message: CompressedImage) -> PillowImage.Image:
    if len(message.data) > MOST_COMPRESSED_BYTES:
        raise ObservationError(
            f"the compressed picture has {len(message.data)} bytes; I take at most {MOST_COMPRESSED_BYTES}"
        )
    try:
        image = PillowImage.open(io.BytesIO(bytes(message.data)), formats=("JPEG", "PNG"))
    except (*_BROKEN, PillowImage.DecompressionBombError):
        given = shown(message.format, 40)
        raise ObservationError(f"the compressed picture (format '{given}') is no jpeg or png that I can read") from None
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise ObservationError(f"the picture is {width} x {height}; I take at most {MOST_PIXELS} pixels")
    return image


def from_depth(message: Image) -> NDArray[np.float32]:
    """Depth (H, W) in metres of a `32FC1` image (m) or a `16UC1` image (mm); infinite where nothing came back.

    Raises ObservationError for another encoding and for data that is cut short.
    """
    check_depth(message)
    encoding = _DEPTHS[message.encoding]
    order = encoding.kind.newbyteorder(">" if message.is_bigendian else "<")
    raw = np.ascontiguousarray(rows_of(message, encoding.kind.itemsize)).view(order)
    depth_m = raw.astype(np.float32) * np.float32(encoding.unit_m)
    return np.where(np.isfinite(depth_m) & (depth_m > 0.0), depth_m, np.float32(np.inf))


def check_content(rgb: Rgb) -> None:
    """Raises ObservationError for a picture that shows nothing: black, or of one colour."""
    step = max(1, int(np.sqrt(rgb.shape[0] * rgb.shape[1] / 12_000)))
    low, high = np.percentile(rgb[::step, ::step].reshape(-1, 3), (0.2, 99.8), axis=0)
    if high.max() < _DARK:
        raise ObservationError("the picture is black: is the lens covered, or the light off?")
    if (high - low).max() < _FLAT:
        raise ObservationError("the picture is blank: it is of one colour")
