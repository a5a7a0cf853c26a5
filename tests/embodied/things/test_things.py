# SPDX-License-Identifier: Apache-2.0
"""What every kind of thing declares must fit together: shapes, heights and what can be done with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest

from embodied.arm import ARMS, arm_model
from embodied.errors import EmbodiedError
from embodied.things import THINGS, Box, Cylinder, Grasp, Mesh, Shape, Sphere, Thing, Urdf, register

KINDS = THINGS.names()


def corners(shape: Shape | Urdf) -> np.ndarray:
    """(N, 3) points that the shape lies between, in its own frame."""
    if isinstance(shape, Box):
        half = 0.5 * np.array(shape.size_m)
    elif isinstance(shape, Cylinder):
        half = np.array([shape.radius_m, shape.radius_m, 0.5 * shape.height_m])
    elif isinstance(shape, Sphere):
        half = np.full(3, shape.radius_m)
    else:
        assert isinstance(shape, Mesh), shape
        return shape.scale * np.array(shape.vertices_m)
    return np.array([-half, half])


@pytest.mark.parametrize("kind", KINDS)
def test_it_stands_on_the_table_and_is_touched_above_it(kind: str) -> None:
    thing = THINGS.get(kind)
    heights = corners(thing.shape)[:, 2]
    assert heights.min() + thing.origin_m == pytest.approx(0.0, abs=1e-9)
    assert 0.0 < thing.touch_height_m < heights.max() + thing.origin_m + 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_it_stands_within_its_footprint(kind: str) -> None:
    thing = THINGS.get(kind)
    across = np.linalg.norm(corners(thing.shape)[:, :2], axis=1).max()
    # A square's corners may stick out of the round footprint that keeps things apart.
    assert across / np.sqrt(2) < thing.radius_m
    assert thing.outline_m <= thing.radius_m < thing.beside_m


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_be_taken_fits_between_the_fingers_of_every_arm(kind: str) -> None:
    thing = THINGS.get(kind)
    if thing.grasp is None:
        return
    assert thing.mass_kg > 0 and thing.collision
    widths = [np.ptp(corners(thing.scaled(scale).shape)[:, 1]) for scale in (1.0, 0.75)]
    for name in ARMS:
        model = arm_model(name)
        assert model.held_width_m[0] < min(widths) < max(widths) < model.held_width_m[1] < model.gripper_width_m
        assert model.reach_lower_m[2] <= thing.grasp.height_m <= model.reach_upper_m[2]


@pytest.mark.parametrize("kind", KINDS)
def test_another_size_has_every_length_in_proportion(kind: str) -> None:
    """Drawn, in collision and in what is declared; it stands and is taken as the usual one is."""
    usual = THINGS.get(kind)
    small = usual.scaled(0.5)
    assert np.allclose(corners(small.shape), 0.5 * corners(usual.shape))
    for one, half in zip(usual.collision, small.collision, strict=True):
        assert np.allclose(corners(half.shape), 0.5 * corners(one.shape))
        assert np.allclose(half.position_m, 0.5 * np.array(one.position_m)) and half.turn_rad == one.turn_rad
    assert small.mass_kg == pytest.approx(usual.mass_kg / 8.0)
    kept = {"name", "shape", "collision", "mass_kg", "flat", "square", "rolls", "goal", "grasp", "holds"}
    for length in {each.name for each in fields(usual)} - kept:
        assert getattr(small, length) == pytest.approx(0.5 * getattr(usual, length)), length
    if usual.grasp is not None and small.grasp is not None:
        assert small.grasp == replace(usual.grasp, height_m=0.5 * usual.grasp.height_m)
    assert small.holds == pytest.approx({key: 0.5 * height for key, height in usual.holds.items()})
    assert usual.scaled(1.0) is usual


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_cannot_be_is_refused(scale: float) -> None:
    with pytest.raises(EmbodiedError, match="block: its scale must be a number above 0"):
        THINGS.get("block").scaled(scale)


def test_the_simulator_keeps_every_part_that_collides() -> None:
    """It drops those beyond the sixteenth without a word."""
    assert all(len(THINGS.get(kind).collision) <= 16 for kind in KINDS)


def test_what_is_too_wide_does_not_fit() -> None:
    cup, bowl, block, ball, bar = (THINGS.get(kind) for kind in ("cup", "bowl", "block", "ball", "bar"))
    assert cup.has_room_for(ball) and not cup.has_room_for(block)
    assert not cup.has_room_for(THINGS.get("cylinder")), "it would stick in the rim"
    assert bowl.has_room_for(block) and not bowl.has_room_for(bar)
    assert cup.scaled(0.75).has_room_for(ball.scaled(0.75)) and not cup.scaled(0.75).has_room_for(ball)


def edges(mesh: Mesh) -> Iterator[tuple[tuple[float, ...], tuple[float, ...]]]:
    for start in range(0, len(mesh.triangles), 3):
        a, b, c = (tuple(np.round(mesh.vertices_m[i], 9)) for i in mesh.triangles[start : start + 3])
        yield from ((a, b), (b, c), (c, a))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if isinstance(THINGS.get(kind).shape, Mesh)])
def test_a_mesh_turns_its_faces_outside(kind: str) -> None:
    """No edge is drawn twice in one direction: neighbours agree on which side is out."""
    mesh = THINGS.get(kind).shape
    assert isinstance(mesh, Mesh)
    assert max(mesh.triangles) < len(mesh.vertices_m) and len(mesh.triangles) % 3 == 0
    assert max(Counter(edges(mesh)).values()) == 1


def test_a_name_is_taken_once() -> None:
    with pytest.raises(EmbodiedError, match="there is a kind of thing called 'block' already"):
        register(Thing(name="block", shape=Sphere(radius_m=0.02), radius_m=0.03, touch_height_m=0.04))
    block = THINGS.get("block")
    assert register(block) is block


def test_what_is_taken_has_a_mass() -> None:
    with pytest.raises(AssertionError, match="feather is taken and has no mass"):
        Thing(
            name="feather",
            shape=Sphere(radius_m=0.02),
            radius_m=0.03,
            touch_height_m=0.04,
            grasp=Grasp(height_m=0.02),
        )
