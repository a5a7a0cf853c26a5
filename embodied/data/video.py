# SPDX-License-Identifier: Apache-2.0
"""Pictures into video files and back, with PyAV: AV1 where the build has it, else H.264."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from embodied.data.layout import DatasetError
from embodied.files import writing

ENCODERS = {
    "libsvtav1": {"g": "2", "crf": "30", "preset": "8"},
    "libx264": {"g": "2", "crf": "20", "preset": "veryfast"},
}
"""Encoder -> options. A key frame every 2 frames makes any frame quick to reach."""

# Both libraries write notes to standard error, in the middle of a progress bar.
av.logging.set_level(av.logging.ERROR)
os.environ.setdefault("SVT_LOG", "1")


def choose_encoder() -> str:
    """The first of ENCODERS that this build of FFmpeg has. Raises DatasetError."""
    for name in ENCODERS:
        if name in av.codecs_available:
            return name
    raise DatasetError(f"PyAV has none of the video encoders {', '.join(ENCODERS)}")


class VideoWriter:
    """One video file of (H, W, 3) uint8 pictures at a constant rate; until it is closed, its name ends in .part."""

    def __init__(self, path: Path, *, fps: int, encoder: str) -> None:
        self.frames = 0
        self._path, self._part = path, path.with_name(path.name + ".part")
        self._fps, self._encoder = fps, encoder
        self._container: Any = None
        self._stream: Any = None

    def write(self, pictures: NDArray[np.uint8]) -> None:
        """Append (T, H, W, 3) pictures. Raises EmbodiedError where the disk does not take them."""
        with writing(self._path):
            if self._container is None:
                self._open(*pictures.shape[1:3])
            for picture in pictures:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                frame.pts, frame.time_base = self.frames, Fraction(1, self._fps)
                self._container.mux(self._stream.encode(frame))
                self.frames += 1

    def _open(self, height: int, width: int) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self._part), "w", format="mp4")
        self._stream = self._container.add_stream(self._encoder, rate=self._fps, options=ENCODERS[self._encoder])
        self._stream.height, self._stream.width, self._stream.pix_fmt = height, width, "yuv420p"

    def close(self) -> None:
        """Finish the file; there is none where there were no pictures."""
        if self._container is not None:
            container, self._container = self._container, None
            with writing(self._path):
                container.mux(self._stream.encode(None))
                container.close()
                self._part.replace(self._path)


def read_frames(path: Path, *, first: int, count: int, fps: float) -> NDArray[np.uint8]:
    """`count` pictures (T, H, W, 3) from frame `first` on. Raises DatasetError when the file has fewer."""
    pictures: list[NDArray[np.uint8]] = []
    with _opened(path) as (container, stream):
        container.seek(int(first / fps / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            if frame.time is not None and round(frame.time * fps) >= first:
                pictures.append(np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8))
            if len(pictures) == count:
                return np.stack(pictures)
    raise DatasetError(f"{path} ends before frame {first + count}")


def count_frames(path: Path) -> int:
    """How many pictures a video has. Raises DatasetError."""
    with _opened(path) as (container, stream):
        return sum(packet.size > 0 for packet in container.demux(stream))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The file and its video. Raises DatasetError for whatever goes wrong while it is read."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video or not container.streams.video[0].time_base:
                raise DatasetError(f"{path} has no video in it")
            yield container, container.streams.video[0]
    except (av.FFmpegError, OSError, ValueError, OverflowError) as error:
        raise DatasetError(f"cannot read {path}: {error}") from None
