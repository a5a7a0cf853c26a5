# SPDX-License-Identifier: Apache-2.0
"""Pixels and table points are inverse to each other, and so are quaternions and matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodied.geometry import project, quaternion, rotation_matrix, turn_about, unproject, upright
from embodied.types import ObjectState, Picture

DOWN = np.array([[0.0, 1.0, 0.0, 0.5], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.8], [0.0, 0.0, 0.0, 1.0]])


def frame(pose: np.ndarray) -> Picture:
    intrinsics = np.array([[300.0, 0.0, 111.5], [0.0, 300.0, 111.5], [0.0, 0.0, 1.0]])
    rgb = np.zeros((224, 224, 3), np.uint8)
    return Picture(rgb=rgb, intrinsics_px=intrinsics, world_from_camera=pose, stamp_s=0.0)


def test_unproject_inverts_project_on_its_plane():
    rng = np.random.default_rng(0)
    xy = rng.uniform([0.3, -0.2], [0.7, 0.2], (50, 2))
    for height in (0.0, 0.02, 0.1):
        points = np.column_stack([xy, np.full(50, height)])
        np.testing.assert_allclose(unproject(frame(DOWN), project(frame(DOWN), points), height), xy, atol=1e-9)


def test_a_pixel_that_looks_away_from_the_plane_is_refused():
    with pytest.raises(ValueError, match="does not look at the plane"):
        unproject(frame(DOWN), np.array([[100.0, 100.0]]), 1.0)
    level = DOWN.copy()
    level[:3, :3] = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    with pytest.raises(ValueError, match="does not look at the plane"):
        unproject(frame(level), np.array([[111.5, 111.5]]), 0.0)


@given(st.integers(0, 10_000), st.floats(-3.1, 3.1))
def test_a_quaternion_and_its_matrix_are_one_turn(seed: int, angle: float) -> None:
    axis = np.random.default_rng(seed).normal(size=3)
    axis /= np.linalg.norm(axis)
    q = turn_about(axis, angle)
    matrix = rotation_matrix(q)
    assert np.allclose(matrix @ matrix.T, np.eye(3)) and np.isclose(np.linalg.det(matrix), 1.0)
    assert np.allclose(matrix @ axis, axis)
    assert np.isclose(np.trace(matrix), 1.0 + 2.0 * np.cos(angle))
    assert np.allclose(rotation_matrix(quaternion(matrix)), matrix)
    assert np.isclose(abs(quaternion(matrix) @ q), 1.0)


@given(st.floats(-np.pi, np.pi))
def test_what_stands_upright_turns_about_the_vertical(yaw: float) -> None:
    item = ObjectState(name="", kind="block", colour="red", position_m=np.zeros(3), orientation=upright(yaw))
    assert np.isclose(np.cos(item.yaw_rad - yaw), 1.0)
    assert np.allclose(rotation_matrix(upright(yaw))[:, 0], [np.cos(yaw), np.sin(yaw), 0.0])
