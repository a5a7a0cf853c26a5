# SPDX-License-Identifier: Apache-2.0
"""Pictures that lie: which ones can be told, and that a still scene of a simulator is believed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import Image

from embodied.arm import arm_model
from nodes import conversions
from nodes.liveness import Liveness

MODEL = arm_model("panda")
CHAIN, HOME = MODEL.chain, MODEL.home_rad
K = np.array([[200.0, 0, 112], [0, 200, 112], [0, 0, 1]])
SIZE = (224, 224)


def facing(place_m: np.ndarray, far_m: float = 1.0) -> np.ndarray:
    """A camera that looks along the world's x at a place, from `far_m` before it."""
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    pose[:3, 3] = place_m - [far_m, 0, 0]
    return pose


def picture(seed: int) -> Image:
    rgb = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return conversions.to_image(rgb, stamp_s=0.0, frame_id="")


def alive(*pictures: tuple[Image, np.ndarray]) -> Liveness:
    """What is told of pictures, ten in a second, with the joints of then."""
    made = Liveness()
    for i, (message, joints_rad) in enumerate(pictures):
        made.note(message, 0.1 * i, joints_rad)
    return made


MOVED = HOME + 0.3 * np.eye(7)[0]
TIP, ASIDE = CHAIN.forward(HOME)[:3, 3], np.array([0.0, 3.0, 0.0])


@pytest.mark.parametrize(
    ("joints", "camera", "lies"),
    [
        ([HOME] * 12, facing(TIP), False),
        ([HOME] * 6 + [MOVED] * 6, facing(TIP), True),
        ([HOME] * 4 + [MOVED] * 4 + [HOME] * 4, facing(TIP), True),
        ([HOME] * 6 + [MOVED] * 6, facing(TIP + ASIDE), False),
        ([HOME] * 6 + [MOVED] * 6, facing(TIP, -1.0), False),
        ([HOME] * 6 + [HOME + 1e-3] * 6, facing(TIP), False),
        ([None] * 12, facing(TIP), False),
    ],
)
def test_the_same_picture_is_a_lie_where_the_arm_has_moved_in_it(
    joints: list[np.ndarray], camera: np.ndarray, lies: bool
) -> None:
    told = alive(*[(picture(0), q) for q in joints])
    assert told.same_s == pytest.approx(1.1)
    assert told.must_have_changed(CHAIN, K, SIZE, (camera, camera)) is lies
    assert not told.frozen()


def test_the_same_picture_is_a_lie_where_the_camera_has_moved() -> None:
    told = alive(*[(picture(0), HOME)] * 5)
    aside = facing(TIP + ASIDE)
    assert told.must_have_changed(CHAIN, K, SIZE, (aside, facing(TIP + 1.01 * ASIDE)))
    assert not told.must_have_changed(CHAIN, K, SIZE, (aside, aside))


def test_a_camera_that_has_noise_must_show_it() -> None:
    noisy = [(picture(seed), HOME) for seed in range(25)]
    assert not alive(*noisy).frozen()
    assert not alive(*noisy, *[noisy[-1]] * 4).frozen()
    assert alive(*noisy, *[noisy[-1]] * 6).frozen()
    assert not alive(*noisy, *[noisy[-1]] * 6, (picture(99), HOME)).frozen()


def test_what_moves_in_a_simulator_is_no_noise() -> None:
    """A thing that rolls changes some rows; a camera that moves changes all, and not at rest."""
    rolling, moving = [], []
    for i in range(30):
        message = picture(0)
        message.data[192 * (i % 40)] ^= 255
        rolling.append((message, HOME))
        moving.append((picture(i), HOME + 0.01 * i))
    for pictures in (rolling, moving):
        assert not alive(*pictures, *[pictures[-1]] * 20).frozen()


def test_half_of_the_picture_before_is_torn() -> None:
    noisy = [(picture(seed), HOME) for seed in range(25)]
    half = picture(77)
    half.data[: 192 * 24] = noisy[-1][0].data[: 192 * 24]
    assert "of 32 of its rows" not in alive(*noisy).torn
    assert alive(*noisy, (half, HOME)).torn == "16 of 32 of its rows are those of the picture before"
    assert alive(*noisy, (half, HOME), (picture(78), HOME)).torn == ""
    assert alive((picture(0), HOME), (half, HOME)).torn == "", "it may be a simulator's"
