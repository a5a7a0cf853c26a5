# SPDX-License-Identifier: Apache-2.0
"""What the simulated arm senses is true: depths measure, fingers feel what they press on."""

from collections.abc import Iterator

import numpy as np
import pytest

from embodied.arm import arm_model
from embodied.errors import UnknownNameError
from embodied.geometry import project
from embodied.motion.skills import SkillCall
from embodied.types import Depth, ObjectState, Picture, Vector
from sim.arm import SimArm
from sim.senses import SENSORS, Sensor
from sim.world import World

BLOCK_M = np.array([0.5, 0.1, 0.02])


@pytest.fixture
def world() -> Iterator[World]:
    with World(arm_model("panda")) as made:
        made.set_objects([ObjectState(name="red block", kind="block", colour="red", position_m=BLOCK_M)])
        yield made


def points_of(depth: Depth) -> np.ndarray:
    """(H, W, 3) the place of every pixel in the world."""
    rows, columns = np.indices(depth.depth_m.shape)
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ np.linalg.inv(depth.intrinsics_px).T
    seen = rays * depth.depth_m[..., None]
    return seen @ depth.world_from_camera[:3, :3].T + depth.world_from_camera[:3, 3]


@pytest.mark.parametrize("camera", ["front", "wrist"])
def test_depth_gives_back_where_things_are(world: World, camera: str) -> None:
    depth, picture = world.depth(camera), world.render(camera)
    assert np.array_equal(depth.intrinsics_px, picture.intrinsics_px)
    assert np.array_equal(depth.world_from_camera, picture.world_from_camera)
    points = points_of(depth)
    red = (picture.rgb[..., 0] > 120) & (picture.rgb[..., 1:].max(axis=-1) < 60)
    assert red.sum() > 20
    on_block = points[red]
    assert np.abs(on_block[:, 2].max() - 0.04) < 0.003, "the top of the block"
    assert np.abs(on_block[:, :2] - BLOCK_M[:2]).max() < 0.03
    if camera == "front":
        u, v = project(picture, np.array([[0.55, -0.2, 0.0]]))[0].round().astype(int)
        np.testing.assert_allclose(points[v, u], [0.55, -0.2, 0.0], atol=0.005)  # the bare table is seen too


def test_depth_is_infinite_where_there_is_nothing(world: World) -> None:
    depth = world.depth("side").depth_m
    assert depth.dtype == np.float32 and (depth > 0).all()
    assert np.isinf(depth).any() and np.isfinite(depth).any()


def test_pictures_are_drawn_anew_when_something_moved(world: World) -> None:
    first, away = world.render("front", 64).rgb, world.render("side", 64).rgb
    world.paint("red block", (0.0, 0.0, 1.0))
    painted = world.render("front", 64).rgb
    assert (first != painted).any()
    world.reset_arm(world.model.home_rad + 0.2, 0.04)
    assert (world.render("side", 64).rgb != away).any()
    again = world.render("front", 64)
    again.rgb[:] = 0
    assert world.render("front", 64).rgb.any(), "a picture belongs to whoever asked for it"


def test_fingers_feel_what_they_hold_and_nothing_before(world: World) -> None:
    arm = SimArm(world, senses=("touch", "force"))
    before = arm.observe().readings
    assert isinstance(before["touch"], Vector) and before["touch"].names == ("left_finger_N", "right_finger_N")
    assert not before["touch"].values.any() and not before["force"].values.any()
    arm.execute(SkillCall(skill="pick", points_m=BLOCK_M[None]))
    held = arm.observe().readings
    assert world.held() == "red block"
    assert (held["touch"].values > 1.0).all(), "both fingers press"
    # The block pulls down with its weight, whatever the fingers do to each other.
    assert held["force"].values[2] < -0.1
    assert held["touch"].stamp_s == held["joints"].stamp_s == world.time_s


def test_an_arm_senses_what_it_was_told_to_and_nothing_else(world: World) -> None:
    assert set(SimArm(world, senses=()).observe().readings) == {"joints"}
    seen = SimArm(world, ("wrist", "front_depth"), 32).observe().readings
    assert set(seen) == {"joints", "wrist", "front_depth"}
    assert isinstance(seen["wrist"], Picture) and isinstance(seen["front_depth"], Depth)
    assert seen["front_depth"].depth_m.shape == (32, 32)
    with pytest.raises(UnknownNameError, match=r"unknown sense 'wrst_depth'. Did you mean 'wrist_depth'"):
        SimArm(world, ("wrst_depth",))


def test_a_new_sensor_is_sensed(world: World) -> None:
    SENSORS.register("hours", Sensor(names=("time_s",), bound=0.05, read=lambda each: np.array([each.time_s])))
    arm = SimArm(world, ("hours",))
    arm.advance(6)
    assert arm.observe().readings["hours"].values == [6 / 240]
    arm.advance(60)
    assert arm.observe().readings["hours"].values == [0.05], "a reading stays within its bound"
