# SPDX-License-Identifier: Apache-2.0
"""Laws of the encoders: what a reading becomes, and what no encoder reads in silence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from embodied.errors import EmbodiedError, ObservationError
from embodied.model.encoders import ENCODERS, Encoder
from embodied.types import Depth, Joints, Picture, Reading, Vector

GEOMETRY = {"intrinsics_px": np.eye(3), "world_from_camera": np.eye(4), "stamp_s": 0.0}
OPTIONS = {
    "conv": {"size_px": 32, "width": 8},
    "depth": {"size_px": 32, "width": 8},
    "mlp": {"size": 3, "hidden": 16},
    "video": {"size_px": 32, "width": 8, "frames": 3, "side": 2},
}


def picture(shade: int, side: int = 32) -> Picture:
    return Picture(rgb=np.full((side, side, 3), shade, dtype=np.uint8), **GEOMETRY)


def depth(metres: float, side: int = 32) -> Depth:
    plane = np.full((side, side), metres, dtype=np.float32)
    plane[: side // 2] = np.inf
    return Depth(depth_m=plane, **GEOMETRY)


READINGS: dict[str, Reading] = {
    "conv": picture(7, 50),
    "depth": depth(1.0, 50),
    "mlp": Vector(values=np.array([1.0, -2.0, 300.0]), names=("a_N", "b_N", "c_N"), stamp_s=0.0),
    "video": picture(7, 50),
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
    other = depth(1.0) if name in ("conv", "video", "mlp") else picture(1)
    with pytest.raises(EmbodiedError, match=f"the sense gives a {type(other).__name__}"):
        made(name).prepare([other])


@pytest.mark.parametrize(
    ("name", "reading", "words"),
    [
        ("conv", Picture(rgb=np.zeros((8, 8), np.uint8), **GEOMETRY), r"a picture is \(height, width, 3\) of uint8"),
        ("conv", Picture(rgb=np.zeros((8, 8, 3), np.float32), **GEOMETRY), "of uint8, and not .* of float32"),
        ("video", Picture(rgb=np.zeros((0, 8, 3), np.uint8), **GEOMETRY), "a picture is"),
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


def test_the_state_of_another_arm_is_missing_and_not_misread() -> None:
    encoder = made("mlp")
    joints = Joints(position_rad=np.zeros(6), velocity_rad_s=np.zeros(6), gripper_width_m=0.08, stamp_s=0.0)
    assert encoder.prepare([joints]) is None
    two = Joints(position_rad=np.array([0.5, -1.0]), velocity_rad_s=np.zeros(2), gripper_width_m=0.04, stamp_s=0.0)
    assert encoder.prepare([two]).tolist() == pytest.approx([0.5, -1.0, 0.4])


def test_large_numbers_of_any_unit_are_compressed_and_small_ones_stay() -> None:
    values = made("mlp").prepare([READINGS["mlp"]])
    assert values.tolist() == pytest.approx([np.log(2.0), -np.log(3.0), np.log(301.0)])
