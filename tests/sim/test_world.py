# SPDX-License-Identifier: Apache-2.0
"""The simulated tabletop: exact pictures, worlds apart, and no bad numbers."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from embodied.arm import ARMS, ArmModel, arm_model
from embodied.errors import EmbodiedError, UnknownNameError, UnsafeCommandError
from embodied.geometry import project, upright
from embodied.language.vocabulary import COLOURS
from embodied.motion.kinematics import Chain
from embodied.motion.skills import SkillCall
from embodied.types import ObjectState
from sim import scene
from sim.arm import SimArm
from sim.world import PHYSICS_HZ, World

PANDA = arm_model("panda")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(PANDA) as made:
        yield made


def thing(kind: str, colour: str, x: float, y: float, z: float = 0.02, yaw: float = 0.0) -> ObjectState:
    position, turn = np.array([x, y, z]), upright(yaw)
    return ObjectState(name=f"{colour} {kind}", kind=kind, colour=colour, position_m=position, orientation=turn)


def hold(world: World, seconds: float) -> None:
    model = world.model
    world.step(model.home_rad, np.zeros(model.joints), model.gripper_width_m, round(seconds * PHYSICS_HZ))


def box_of(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max(), rows.max()], dtype=float)


@pytest.mark.parametrize("size_px", [128, 224])
@pytest.mark.parametrize(
    ("camera", "x", "y"),
    [
        ("front", 0.40, -0.2),
        ("front", 0.5, 0.0),
        ("front", 0.62, 0.2),
        ("wrist", 0.42, 0.05),
        ("wrist", 0.4, -0.1),
    ],
)
def test_a_zone_is_drawn_where_the_camera_model_says(
    world: World, camera: str, x: float, y: float, size_px: int
) -> None:
    world.set_objects([thing("zone", "red", x, y)])
    frame = world.render(camera, size_px)
    red = (frame.rgb[:, :, 0] > 180) & (frame.rgb[:, :, 1] < 80)
    corners = np.array([[x + sx, y + sy, 0.002] for sx in (-0.055, 0.055) for sy in (-0.055, 0.055)])
    pixels = project(frame, corners)
    expected = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
    assert np.abs(box_of(red) - expected).max() < 1.2
    assert np.abs((box_of(red) - expected).reshape(2, 2).mean(axis=0)).max() < 0.75


@pytest.mark.parametrize("name", ARMS.names())
def test_the_wrist_camera_is_where_kinematics_puts_the_hand(name: str) -> None:
    model = arm_model(name)
    to_hand = Chain.from_urdf(model.urdf, model.hand)
    with World(model) as world:
        q = model.home_rad + 0.1
        world.reset_arm(q, model.gripper_width_m)
        expected = to_hand.forward(q) @ scene.CAMERAS["wrist"].mount
        assert np.allclose(world.render("wrist", 16).world_from_camera, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["block", "bowl", "zone"])
def test_colours_are_told_apart_by_their_nearest_rgb(world: World, kind: str) -> None:
    for colour in COLOURS:
        world.set_objects([thing(kind, colour, 0.5, 0.0)])
        frame = world.render("front", 128)
        u, v = np.round(project(frame, np.array([[0.5, 0.0, 0.03 if kind == "block" else 0.012]]))[0]).astype(int)
        seen = frame.rgb[v, u] / 255.0
        nearest = min(COLOURS, key=lambda name: float(np.abs(seen - scene.RGB[name]).sum()))
        assert nearest == colour


def test_the_arm_at_home_hides_nothing_and_all_of_the_table_is_in_the_picture(world: World) -> None:
    for x, y in itertools.product((0.33, 0.5, 0.67), (-0.27, 0.0, 0.27)):
        world.set_objects([thing("zone", "red", x, y)])
        frame = world.render("front", 128)
        red = int(((frame.rgb[:, :, 0] > 180) & (frame.rgb[:, :, 1] < 80)).sum())
        turns = ((-1, -1), (-1, 1), (1, 1), (1, -1))
        a, b, c, d = project(frame, np.array([[x + 0.055 * i, y + 0.055 * j, 0.002] for i, j in turns]))
        area = 0.5 * abs(float((c - a)[0] * (d - b)[1] - (c - a)[1] * (d - b)[0]))
        assert red > 0.93 * area


def test_equal_scenes_give_equal_pictures_in_other_worlds(world: World) -> None:
    things = [thing("block", "red", 0.4, 0.1, yaw=0.3), thing("bowl", "blue", 0.55, -0.1)]
    world.set_objects([thing("block", "green", 0.6, 0.2)])
    hold(world, 0.1)
    world.set_objects(things)
    with World(PANDA) as other:
        other.set_objects(things)
        for name in scene.CAMERAS:
            assert np.array_equal(world.render(name, 64).rgb, other.render(name, 64).rgb)


def test_two_worlds_do_not_mix(world: World) -> None:
    world.set_objects([thing("block", "red", 0.4, 0.1)])
    with World(PANDA) as other:
        other.set_objects([thing("block", "red", 0.6, -0.1, z=0.3)])
        other.reset_arm(PANDA.home_rad + 0.2, 0.0)
        hold(other, 0.2)
        assert set(world.objects()) == {"red block"}
        assert np.allclose(world.objects()["red block"].position_m, [0.4, 0.1, 0.02])
        assert np.allclose(world.joint_state()[0], PANDA.home_rad)
        assert world.time_s == 0.0
    hold(world, 0.1)
    assert world.time_s == pytest.approx(0.1)


def test_a_block_that_falls_into_a_bowl_stays_there(world: World) -> None:
    for dx, dy, yaw in ((0.0, 0.0, 0.0), (0.02, 0.01, 0.5), (-0.015, 0.02, 0.7)):
        world.set_objects(
            [thing("bowl", "blue", 0.5, 0.1), thing("block", "red", 0.5 + dx, 0.1 + dy, z=0.075, yaw=yaw)]
        )
        hold(world, 1.0)
        at = world.objects()["red block"].position_m
        assert np.linalg.norm(at[:2] - [0.5, 0.1]) < 0.035
        assert at[2] < 0.05
        assert np.allclose(world.objects()["blue bowl"].position_m, [0.5, 0.1, 0.0])


def test_things_at_rest_stay_at_rest(world: World) -> None:
    world.set_objects([thing("block", "red", 0.4, 0.1, yaw=0.4), thing("block", "blue", 0.4, 0.1, z=0.06)])
    hold(world, 1.0)
    assert np.allclose(world.objects()["red block"].position_m, [0.4, 0.1, 0.02], atol=1e-3)
    assert np.allclose(world.objects()["blue block"].position_m, [0.4, 0.1, 0.06], atol=2e-3)
    assert np.abs(world.joint_state()[0] - PANDA.home_rad).max() < 2e-3
    assert world.held() is None
    world.note_touches()
    assert world.touched() == frozenset()


def test_a_frame_carries_the_time_at_which_it_was_taken(world: World) -> None:
    world.set_objects([])
    hold(world, 0.5)
    assert world.render("front", 16).stamp_s == pytest.approx(0.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_never_reach_the_physics(world: World, bad: float) -> None:
    world.set_objects([thing("block", "red", 0.5, 0.0)])
    spoiled = PANDA.home_rad.copy()
    spoiled[3] = bad
    with pytest.raises(UnsafeCommandError, match="not finite"):
        world.step(spoiled, np.zeros(7), 0.08)
    with pytest.raises(UnsafeCommandError, match="not finite"):
        world.step(PANDA.home_rad, spoiled, 0.08)
    with pytest.raises(UnsafeCommandError, match="not finite"):
        world.step(PANDA.home_rad, np.zeros(7), bad)
    with pytest.raises(ValueError, match="not finite"):
        world.reset_arm(spoiled, 0.08)
    with pytest.raises(ValueError, match="not finite"):
        world.set_objects([thing("block", "red", 0.5, bad)])
    with pytest.raises(ValueError, match="not finite"):
        world.set_objects([replace(thing("block", "red", 0.5, 0.0), orientation=np.full(4, bad))])
    # What was refused has changed nothing.
    assert world.time_s == 0.0
    assert np.allclose(world.objects()["red block"].position_m, [0.5, 0.0, 0.02])


def test_what_does_not_exist_is_named(world: World) -> None:
    with pytest.raises(UnknownNameError, match="front"):
        world.render("frnt")
    with pytest.raises(UnknownNameError, match="purple"):
        world.set_objects([thing("block", "pink", 0.5, 0.0)])
    with pytest.raises(UnknownNameError, match="bowl"):
        world.set_objects([thing("bottle", "red", 0.5, 0.0)])
    with pytest.raises(ValueError, match="unique"):
        world.set_objects([thing("block", "red", 0.5, 0.0), thing("block", "red", 0.4, 0.0)])
    with pytest.raises(ValueError, match="pixels"):
        world.render("front", 0)


def test_closing_twice_is_fine() -> None:
    world = World(PANDA)
    world.close()
    world.close()
    with pytest.raises(Exception, match=r"[Nn]ot connected"):
        world.joint_state()


def test_a_window_without_a_screen_is_refused_and_the_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(EmbodiedError, match="DISPLAY"):
        World(PANDA, gui=True)


def test_two_things_of_one_kind_and_colour_have_a_name_each(world: World) -> None:
    first = thing("block", "red", 0.4, -0.1)
    second = replace(thing("block", "red", 0.55, 0.1), name="red block 2")
    world.set_objects([first, second])
    hold(world, 0.2)
    found = world.objects()
    assert set(found) == {"red block", "red block 2"}
    assert {(each.kind, each.colour) for each in found.values()} == {("block", "red")}
    assert np.allclose(found["red block"].position_m, [0.4, -0.1, 0.02], atol=1e-3)
    assert np.allclose(found["red block 2"].position_m, [0.55, 0.1, 0.02], atol=1e-3)


@pytest.fixture(params=ARMS.names())
def model(request: pytest.FixtureRequest) -> ArmModel:
    return arm_model(request.param)


def test_every_arm_holds_still_at_home_and_goes_where_it_is_driven(model: ArmModel) -> None:
    with World(model) as world:
        hold(world, 1.0)
        position, velocity, width = world.joint_state()
        assert position.shape == velocity.shape == (model.joints,)
        assert np.abs(position - model.home_rad).max() < 2e-3 and np.abs(velocity).max() < 0.01
        assert width == pytest.approx(model.gripper_width_m, abs=1e-3)
        goal = np.clip(model.home_rad + 0.1, model.lower_rad, model.upper_rad)
        world.step(goal, np.zeros(model.joints), 0.5 * model.gripper_width_m, PHYSICS_HZ)
        position, _, width = world.joint_state()
        assert np.abs(position - goal).max() < 5e-3
        assert width == pytest.approx(0.5 * model.gripper_width_m, abs=2e-3)


def test_every_arm_takes_a_block_and_holds_it(model: ArmModel) -> None:
    with World(model) as world:
        world.set_objects([thing("block", "red", 0.5, 0.0)])
        arm = SimArm(world, senses=())
        assert world.held() is None
        outcome = arm.execute(SkillCall(skill="pick", points_m=np.array([[0.5, 0.0, 0.02]])))
        assert outcome.done and outcome.width_m == 0.0
        assert outcome.narrowest_m == pytest.approx(0.04, abs=4e-3)
        assert world.held() == "red block" and "red block" in world.touched()
        assert model.held_width_m[0] < world.joint_state()[2] < model.held_width_m[1]
        assert np.abs(world.joint_state()[0] - model.home_rad).max() < 0.02
