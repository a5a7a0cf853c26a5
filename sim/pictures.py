# SPDX-License-Identifier: Apache-2.0
"""From what the renderer drew to a picture: the table is painted behind it, and the camera adds its faults."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from embodied.types import Depth, Float, Picture
from sim import scene, shadows
from sim.appearance import Appearance
from sim.textures import TEXEL_M, plain

NEAR_M, FAR_M = 0.02, 4.0
"""What is nearer or farther is not drawn."""
_SHARP_PX = 224
"""Blur is told in pixels of a picture of this size."""


class Shot(NamedTuple):
    """What the renderer drew for a square picture, and from where."""

    rgba: NDArray[np.uint8]  # (S, S, 4)
    buffer: Float  # (S, S) from 0 near to 1 where nothing is drawn
    intrinsics_px: Float  # (3, 3)
    world_from_camera: Float  # (4, 4)
    stamp_s: float
    lit: Float | None = None
    """How bright each cell of the table is, see `shadows.lit_share`; None where no shadows are drawn."""


class _Ground(NamedTuple):
    """The bare table, as a camera at a pose sees it."""

    world_from_camera: Float
    depth_m: Float  # (S, S), infinite beside the table
    x_m: Float  # (S, S)
    y_m: Float  # (S, S)
    texel: NDArray[np.intp]  # (S, S) which one of the texture's, the one behind the last beside the table


class Painter:
    """Makes pictures and depths of the shots of one scene."""

    def __init__(self, appearance: Appearance) -> None:
        self._look = appearance
        beside = plain(appearance.floor_rgb or (0.0, 0.0, 0.0))
        texels = np.concatenate([appearance.table.reshape(-1, 3), beside.reshape(-1, 3)])
        shade = appearance.light.on_table / scene.LIGHT.on_table
        self._texels = np.round(shade * texels).clip(0, 255).astype(np.uint8)
        self._grounds: dict[tuple[str, int], _Ground] = {}

    def picture(self, camera: str, shot: Shot) -> Picture:
        """The picture of a shot, with its exact geometry."""
        rgb = self._with_faults(camera, shot, self._on_table(camera, shot))
        return Picture(
            rgb=rgb, intrinsics_px=shot.intrinsics_px, world_from_camera=shot.world_from_camera, stamp_s=shot.stamp_s
        )

    def _on_table(self, camera: str, shot: Shot) -> NDArray[np.uint8]:
        """(S, S, 3) what was drawn, before the table."""
        rgb = shot.rgba[:, :, :3].copy()
        bare = shot.buffer >= 1.0
        endless = self._look.floor_rgb is None
        rgb[bare] = self._texels[0 if endless else self._ground(camera, shot).texel[bare]]
        return rgb if shot.lit is None else self._in_shade(camera, shot, shot.lit, rgb)

    def _in_shade(self, camera: str, shot: Shot, lit: Float, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(S, S, 3) with shadows on the table and on what lies flat on it; the renderer casts those on things."""
        ground = self._ground(camera, shot)
        seen_m = np.where(shot.buffer < 1.0, metres(shot.buffer), np.inf)
        flat = np.isfinite(ground.depth_m) & (seen_m > ground.depth_m - shadows.FLAT_M)
        share = np.ones(flat.shape)
        share[flat] = shadows.share_at(lit, ground.x_m[flat], ground.y_m[flat])
        return _whole(share[..., None] * rgb)

    def _with_faults(self, camera: str, shot: Shot, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(S, S, 3) as the camera gives it. Noise depends on the scene, the camera and the time."""
        look = self._look
        if look.gain != (1.0, 1.0, 1.0):
            rgb = _whole(rgb * np.array(look.gain))
        if look.blur_px:
            blur = ImageFilter.GaussianBlur(look.blur_px * len(rgb) / _SHARP_PX)
            rgb = np.array(Image.fromarray(rgb).filter(blur))
        if look.noise:
            rng = np.random.default_rng([look.seed, round(1e6 * shot.stamp_s), *camera.encode()])
            rgb = _whole(rgb + look.noise * rng.standard_normal(rgb.shape, dtype=np.float32))
        return rgb

    def depth(self, camera: str, shot: Shot) -> Depth:
        """The depth of what was drawn, and of the bare table."""
        depth = np.where(shot.buffer < 1.0, metres(shot.buffer), self._ground(camera, shot).depth_m)
        return Depth(
            depth_m=depth.astype(np.float32),
            intrinsics_px=shot.intrinsics_px,
            world_from_camera=shot.world_from_camera,
            stamp_s=shot.stamp_s,
        )

    def _ground(self, camera: str, shot: Shot) -> _Ground:
        """Kept as long as the camera stands still: a picture takes longer without."""
        size_px = len(shot.buffer)
        kept = self._grounds.get((camera, size_px))
        if kept is None or not np.array_equal(kept.world_from_camera, shot.world_from_camera):
            depth, x, y = scene.table_in_view(shot.intrinsics_px, shot.world_from_camera, size_px)
            rows, columns, _ = self._look.table.shape
            seen = np.isfinite(depth)
            texel = np.full(depth.shape, rows * columns)
            row = ((x[seen] - scene.TABLE_X_M[0]) / TEXEL_M).astype(np.intp).clip(0, rows - 1)
            column = ((y[seen] - scene.TABLE_Y_M[0]) / TEXEL_M).astype(np.intp).clip(0, columns - 1)
            texel[seen] = row * columns + column
            kept = self._grounds[camera, size_px] = _Ground(shot.world_from_camera, depth, x, y, texel)
        return kept


def metres(buffer: Float) -> Float:
    """How deep the renderer's buffer says that it drew."""
    depth_m: Float = NEAR_M * FAR_M / (FAR_M - (FAR_M - NEAR_M) * buffer)
    return depth_m


def _whole(rgb: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.round(rgb).clip(0, 255).astype(np.uint8)
