# SPDX-License-Identifier: Apache-2.0
"""Laws of the encoders: what a reading becomes, and what no encoder reads in silence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from embodied.errors import EmbodiedError, ObservationError
from embodied.model.encoders import ENCODERS, Encoder
from embodied.types import Depth, Joints, Picture, Reading, Vector

GEOMETRY = {"intrinsics_px": np.diag([50.0, 50.0, 1.0]), "world_from_camera": np.eye(4), "stamp_s": 0.0}
OPTIONS = {
    "codes": {"size_px": 32, "width": 4, "codes": 16, "dim": 8},
    "conv": {"size_px": 32, "width": 8},
    "depth": {"size_px": 32, "width": 8},
    "mel": {"rate_hz": 8000, "seconds": 0.25, "width": 16},
    "mlp": {"size": 3, "hidden": 16},
    "patches": {"size_px": 32, "patch_px": 8},
    "points": {"points": 20, "width": 16, "reach_m": 100.0},
    "pretrained": {
        "config": {"model_type": "vit", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        | {"intermediate_size": 16, "image_size": 32, "patch_size": 8}
    },
    "tiles": {"size_px": 32, "width": 8, "side": 2},
    "video": {"size_px": 32, "width": 8, "frames": 3, "side": 2},
    "vit": {"size_px": 32, "patch_px": 8, "width": 16, "depth": 2, "heads": 2},
}


def picture(shade: int, side: int = 32) -> Picture:
    return Picture(rgb=np.full((side, side, 3), shade, dtype=np.uint8), **GEOMETRY)


def depth(metres: float, side: int = 32) -> Depth:
    plane = np.full((side, side), metres, dtype=np.float32)
    plane[: side // 2] = np.inf
    return Depth(depth_m=plane, **GEOMETRY)


READINGS: dict[str, Reading] = {
    "codes": picture(7, 50),
    "conv": picture(7, 50),
    "depth": depth(1.0, 50),
    "mel": Vector(values=np.sin(np.arange(2000.0)), names=tuple(map(str, range(2000))), stamp_s=0.0),
    "mlp": Vector(values=np.array([1.0, -2.0, 300.0]), names=("a_N", "b_N", "c_N"), stamp_s=0.0),
    "patches": picture(7, 50),
    "points": depth(1.0, 50),
    "pretrained": picture(7, 50),
    "tiles": picture(7, 50),
    "video": picture(7, 50),
    "vit": picture(7, 50),
}


def made(name: str) -> Encoder:
    torch.manual_seed(0)
    return ENCODERS.get(name)(**OPTIONS[name]).eval()


@pytest.mark.parametrize("name", sorted(OPTIONS))
@torch.no_grad()
def test_a_batch_is_encoded_one_by_one(name: str) -> None:
    encoder = made(name)
    value = encoder.prepare([READINGS[name]])
    assert value is not None
    features = encoder(torch.stack([value, value, value]))
    tokens = features.shape[1]
    assert features.shape == (3, tokens, encoder.feature_dim)
    assert encoder.grid is None or tokens == encoder.grid[0] * encoder.grid[1]
    torch.testing.assert_close(features[1], encoder(value.unsqueeze(0))[0])
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_reading_of_another_sort_is_refused(name: str) -> None:
    other = picture(1) if name in ("depth", "points") else depth(1.0)
    with pytest.raises(EmbodiedError, match=f"the sense gives a {type(other).__name__}"):
        made(name).prepare([other])


@pytest.mark.parametrize(
    ("name", "reading", "words"),
    [
        ("conv", Picture(rgb=np.zeros((8, 8), np.uint8), **GEOMETRY), r"a picture is \(height, width, 3\) of uint8"),
        ("conv", Picture(rgb=np.zeros((8, 8, 3), np.float32), **GEOMETRY), "of uint8, and not .* of float32"),
        ("codes", Picture(rgb=np.zeros((8, 8), np.uint8), **GEOMETRY), r"a picture is \(height, width, 3\) of uint8"),
        ("video", Picture(rgb=np.zeros((0, 8, 3), np.uint8), **GEOMETRY), "a picture is"),
        ("patches", Picture(rgb=np.zeros((8, 8), np.uint8), **GEOMETRY), "a picture is"),
        ("points", Depth(depth_m=np.zeros((8, 8, 1), np.float32), **GEOMETRY), "a depth is"),
        ("vit", Picture(rgb=np.zeros((8, 8, 3), np.float32), **GEOMETRY), "of uint8, and not .* of float32"),
        ("depth", Depth(depth_m=np.zeros((8, 8, 1), np.float32), **GEOMETRY), "a depth is"),
        ("depth", Depth(depth_m=np.zeros((8, 8), np.uint16), **GEOMETRY), "float32 in metres, and not .* of uint16"),
        ("mlp", Vector(values=np.array([1.0, np.nan, 2.0]), names=tuple("abc"), stamp_s=0.0), "is not finite"),
    ],
)
def test_a_reading_that_is_none_is_refused(name: str, reading: Reading, words: str) -> None:
    with pytest.raises(ObservationError, match=words):
        made(name).prepare([reading])


@torch.no_grad()
def test_depth_tells_what_stands_out_and_where_nothing_came_back() -> None:
    encoder = made("depth")
    table, block = depth(1.0), depth(1.0)
    block.depth_m[20:28, 20:28] = 0.96
    nothing = Depth(depth_m=np.full((32, 32), np.inf, dtype=np.float32), **GEOMETRY)
    values = [encoder.prepare([each]) for each in (table, block, nothing)]
    features = encoder(torch.stack(values))
    assert torch.isfinite(features).all()
    assert (features[0] - features[1]).abs().max() > 0.1, "four centimetres at a metre"
    assert (features[0] - features[2]).abs().max() > 0.1


def test_depths_are_not_mixed_when_they_are_made_smaller() -> None:
    plane = np.where(np.indices((64, 64)).sum(axis=0) % 2, 0.5, 2.0).astype(np.float32)
    small = made("depth").prepare([Depth(depth_m=plane, **GEOMETRY)])
    assert set(small.unique().tolist()) <= {0.5, 2.0}


@torch.no_grad()
def test_the_last_pictures_are_read_in_their_order() -> None:
    encoder = made("video")
    assert encoder.history == 3
    one, two, three, four = (picture(shade) for shade in (0, 80, 160, 240))
    first = encoder.prepare([one])
    assert [int(frame[0, 0, 0]) for frame in first] == [0, 0, 0], "before there are three, the first stands for them"
    assert [int(frame[0, 0, 0]) for frame in encoder.prepare([one, two])] == [0, 0, 80]
    assert [int(frame[0, 0, 0]) for frame in encoder.prepare([one, two, three, four])] == [80, 160, 240]
    forward, backward = (encoder(encoder.prepare(order)[None]) for order in ([one, two, three], [three, two, one]))
    assert (forward - backward).abs().max() > 1e-3


@torch.no_grad()
def test_a_tile_sees_what_the_whole_picture_loses() -> None:
    """Lines of one pixel are grey in the whole picture; in the tile that holds them they are lines, and only there."""
    encoder = made("tiles")
    grey = np.full((64, 64, 3), 128, dtype=np.uint8)
    lined = grey.copy()
    lined[:32, 32:64:2], lined[:32, 33:64:2] = 0, 255  # above, on the right: the second tile
    (whole, *tiles), (plain, *plains) = (encoder.prepare([Picture(rgb=rgb, **GEOMETRY)]) for rgb in (lined, grey))
    assert (whole.int() - plain.int()).abs().max() < 32
    assert [bool((tile != other).any()) for tile, other in zip(tiles, plains, strict=True)] == [
        False,
        True,
        False,
        False,
    ]
    found, before = (encoder(torch.stack([first, *rest])[None])[0] for first, rest in ((whole, tiles), (plain, plains)))
    changed = (found - before).abs().amax(dim=1).unflatten(0, (5, -1)).amax(dim=1)
    assert changed[2] > 4 * changed[0] and changed[[1, 3, 4]].max() == 0


def test_the_state_of_another_arm_is_missing_and_not_misread() -> None:
    encoder = made("mlp")
    joints = Joints(position_rad=np.zeros(6), velocity_rad_s=np.zeros(6), gripper_width_m=0.08, stamp_s=0.0)
    assert encoder.prepare([joints]) is None
    two = Joints(position_rad=np.array([0.5, -1.0]), velocity_rad_s=np.zeros(2), gripper_width_m=0.04, stamp_s=0.0)
    assert encoder.prepare([two]).tolist() == pytest.approx([0.5, -1.0, 0.4])


def test_large_numbers_of_any_unit_are_compressed_and_small_ones_stay() -> None:
    values = made("mlp").prepare([READINGS["mlp"]])
    assert values.tolist() == pytest.approx([np.log(2.0), -np.log(3.0), np.log(301.0)])


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("patches", {"size_px": 100}, "a multiple of 16"),
        ("vit", {"size_px": 2048}, "up to 1024"),
        ("vit", {"width": 100}, "a multiple of heads=3"),
        ("patches", {"size_px": 1024, "patch_px": 8}, "patch_px must be at least 16 for size_px=1024, not 8"),
        ("points", {"points": 0}, "points must be a whole number from 1 on"),
        ("points", {"points": 10**9}, "points must be at most 4096"),
        ("points", {"reach_m": -1.0}, "reach_m must be above 0 and at most 100"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(name: str, options: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ENCODERS.get(name)(**options)


@torch.no_grad()
def test_patches_are_the_pixels_themselves() -> None:
    encoder, rng = made("patches"), np.random.default_rng(0)
    seen = Picture(rgb=rng.integers(0, 256, (32, 32, 3), dtype=np.uint8), **GEOMETRY)
    features = encoder(encoder.prepare([seen])[None])[0]
    row, column = 2, 1
    patch = seen.rgb[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
    token = features[row * encoder.grid[1] + column]
    assert ((token.sort().values + 1) * 127.5).round().int().tolist() == sorted(patch.flatten().tolist())
    assert not list(encoder.parameters()) and encoder.to(torch.bfloat16)(encoder.prepare([seen])[None]).dtype == (
        torch.bfloat16
    )


@torch.no_grad()
def test_a_patch_looks_at_all_others() -> None:
    encoder = made("vit")
    one, two = picture(100), picture(100)
    two.rgb[:8, :8] = 250
    before, after = (encoder(encoder.prepare([each])[None])[0] for each in (one, two))
    assert (before[-1] - after[-1]).abs().max() > 1e-4


def test_points_are_where_they_are_whichever_camera_saw_them() -> None:
    """A wall at x = 1 m, seen from two places."""
    encoder, wall = made("points"), []
    for y_m, turn in ((0.0, 0.0), (0.2, 0.3)):
        pose = np.eye(4)
        forward, left = np.array([np.cos(turn), np.sin(turn), 0.0]), np.array([-np.sin(turn), np.cos(turn), 0.0])
        pose[:3, :3] = np.column_stack([-left, [0.0, 0.0, -1.0], forward])  # x right, y down, z ahead
        pose[:3, 3] = [0.0, y_m, 0.0]
        intrinsics = np.array([[30.0, 0.0, 16.0], [0.0, 30.0, 16.0], [0.0, 0.0, 1.0]])
        v, u = np.indices((32, 32))
        rays = np.stack([(u - 16.0) / 30.0, (v - 16.0) / 30.0, np.ones((32, 32))], axis=-1) @ pose[:3, :3].T
        far = Depth(
            depth_m=(1.0 / rays[..., 0]).astype(np.float32), intrinsics_px=intrinsics, world_from_camera=pose, stamp_s=0
        )
        wall.append(encoder.prepare([far]))
    for value in wall:
        assert value.shape == (20, 4) and value[:, 3].tolist() == [1] * 20
        points = value[:, :3] / 1e4
        assert points[:, 0].numpy() == pytest.approx(1.0, abs=2e-4)
        assert len(points.unique(dim=0)) == 20 and points[:, 1].max() - points[:, 1].min() > 0.9, (
            "spread over all of it"
        )


@torch.no_grad()
def test_points_mean_the_same_in_any_order_and_none_are_told_apart_from_some() -> None:
    encoder = made("points")
    value = torch.randint(-9000, 9000, (20, 4), dtype=torch.int32, generator=torch.Generator().manual_seed(2))
    value[:, 3] = 1
    order = torch.randperm(20, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(encoder(value[None])[0][order], encoder(value[order][None])[0])
    moved = value.clone()
    moved[0, :3] += 3000
    assert (encoder(moved[None]) - encoder(value[None]))[0, 1:].abs().max() > 1e-4, "each knows what all are"
    empty = encoder.prepare([Depth(depth_m=np.full((32, 32), np.inf, dtype=np.float32), **GEOMETRY)])
    assert empty.shape == value.shape and not empty.any(), "a batch may hold it beside others"
    assert (encoder(empty[None]) - encoder(torch.zeros(1, 20, 4).index_fill(2, torch.tensor([3]), 1.0))).abs().max() > 0


@torch.no_grad()
def test_points_two_millimetres_apart_are_two_also_in_few_bits() -> None:
    encoder = made("points").to(torch.bfloat16)
    value = torch.tensor([[[7000 + 20 * i, 3000, 200, 1] for i in range(20)]], dtype=torch.int32)
    features = encoder(value)[0].float()
    assert features.dtype == torch.float32 and len(features.unique(dim=0)) == 20


@pytest.mark.parametrize("intrinsics", [np.zeros((3, 3)), np.full((3, 3), np.nan)])
def test_points_of_a_camera_that_nobody_knows_are_refused(intrinsics: np.ndarray) -> None:
    unknown = Depth(
        depth_m=np.ones((8, 8), np.float32), intrinsics_px=intrinsics, world_from_camera=np.eye(4), stamp_s=0.0
    )
    with pytest.raises(ObservationError, match="how it sees is not known"):
        made("points").prepare([unknown])
