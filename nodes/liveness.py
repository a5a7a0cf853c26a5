# SPDX-License-Identifier: Apache-2.0
"""Pictures under new stamps that are not new: what can be told of one camera.

A picture that stays the same, bit for bit, may be true: a simulator renders a still scene so. It is a lie where
something in it must have changed. Two things are sure: the arm has moved where the camera sees it, or with the
camera; or the camera has noise, which is learned from pictures that differ in every row while the arm rests.
"""

from collections.abc import Sequence

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from embodied.motion.kinematics import Chain
from embodied.types import Float

NOTED_S = 0.25
"""A picture that has not changed for longer is mentioned."""
REFUSED_S = 0.5
"""Pictures of a noisy camera that have not changed for longer are refused."""
_ROWS = 32
_REST_RAD = 5e-4
_NOISY = 20
"""So many pictures in a row that differ from the one before everywhere, at rest, are those of a noisy camera."""
_MOVED_M = 0.005
_MOVED_PX = 0.02
"""Of the picture's width."""


class Liveness:
    """Compares each picture of one camera with the one before; cheap where they differ, which they do at once."""

    def __init__(self) -> None:
        self._last: Image | CompressedImage | None = None
        self._same_since_s = self._stamp_s = 0.0
        self._joints: tuple[Float, Float] | None = None  # (N,) when the same picture came first, and the furthest off
        self._at_rest: Float | None = None
        self._live = 0  # pictures in a row, at rest, that differ everywhere
        self.noisy = False
        self.torn = ""
        """That rows of the newest picture are those of the one before; empty where they are not."""

    @property
    def same_s(self) -> float:
        """For how long the picture has been the same, by its stamps."""
        return self._stamp_s - self._same_since_s

    @property
    def since_s(self) -> float:
        """The stamp of the first of the pictures that are the same."""
        return self._same_since_s

    def note(self, message: Image | CompressedImage, stamp_s: float, position_rad: Float | None) -> None:
        """A picture has come; the arm was felt at `position_rad` (N,) just then, None where it was not."""
        last, self._last, self._stamp_s = self._last, message, stamp_s
        if last is not None and last.data == message.data:
            if position_rad is not None and self._joints is not None:
                first, furthest = self._joints
                moved, most = (np.abs(q - first).max() for q in (position_rad, furthest))
                self._joints = (first, position_rad if moved > most else furthest)
            return
        self._same_since_s = stamp_s
        self._joints = None if position_rad is None else (position_rad, position_rad)
        self.torn = ""
        if isinstance(message, Image) and isinstance(last, Image) and len(last.data) == len(message.data):
            self._note_rows(last, message, position_rad)

    def frozen(self) -> bool:
        """Whether a camera that has noise shows none."""
        return self.noisy and self.same_s > REFUSED_S

    def must_have_changed(
        self, chain: Chain, intrinsics_px: Float, size_px: tuple[int, int], cameras: Sequence[Float]
    ) -> bool:
        """Whether the arm has moved in the picture since it is the same.

        `cameras` are its poses (4, 4) then and now, `size_px` its width and height.
        """
        if self._joints is None or self.same_s <= 0.0:
            return False
        then, now = cameras
        if np.linalg.norm(now[:3, 3] - then[:3, 3]) > _MOVED_M or np.abs(now[:3, :3] - then[:3, :3]).max() > 0.02:
            return True
        places = [chain.forward(q)[:3, 3] for q in self._joints]
        pixels = [_pixel(place, intrinsics_px, now) for place in places]
        seen = [bool(((pixel >= 0) & (pixel < size_px)).all()) for pixel in pixels]
        # Beside the picture or behind the camera it may move as it likes.
        return any(seen) and not np.linalg.norm(pixels[1] - pixels[0]) <= _MOVED_PX * size_px[0]

    def _note_rows(self, last: Image, message: Image, position_rad: Float | None) -> None:
        before, after = (np.frombuffer(each.data, np.uint8).reshape(each.height, -1) for each in (last, message))
        at = np.linspace(0, message.height - 1, _ROWS).astype(int)
        if before.shape != after.shape:
            return
        # A row that is everywhere the same is no sign: it is of a lamp, or of the night.
        same = (before[at] == after[at]).all(axis=1) & (np.ptp(after[at], axis=1) > 0)
        before_rad = self._at_rest
        if position_rad is None or before_rad is None or np.abs(position_rad - before_rad).max() > _REST_RAD:
            self._at_rest, self._live = position_rad, 0
        self._live = 0 if same.any() else self._live + 1
        self.noisy |= self._live >= _NOISY
        if self.noisy and same.sum() >= 2:
            self.torn = f"{int(same.sum())} of {_ROWS} of its rows are those of the picture before"


def _pixel(place_m: Float, intrinsics_px: Float, camera: Float) -> Float:
    """Where (2,) a camera with that pose shows a place, in the picture or beside it; NaN where it is behind."""
    seen_m = camera[:3, :3].T @ (place_m - camera[:3, 3])
    return (intrinsics_px @ (seen_m / seen_m[2]))[:2] if seen_m[2] > 0.05 else np.full(2, np.nan)
