# SPDX-License-Identifier: Apache-2.0
"""Appearance: it changes pictures and never the problem, and cameras are where they say."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pybullet
import pytest
from numpy.typing import NDArray

from embodied.arm import arm_model
from embodied.errors import EmbodiedError, UnknownNameError
from embodied.geometry import project, unproject
from embodied.language.vocabulary import COLOURS
from embodied.motion.places import STANDING_M
from embodied.motion.skills import SkillCall
from embodied.types import Float, ObjectState, Picture
from sim import clutter, scene, textures
from sim.appearance import LARGEST, LIGHTS, USUAL, Appearance, parse_appearance
from sim.arm import SimArm
from sim.world import World

PANDA = arm_model("panda")
TABLES = (*textures.COLOURS, *textures.TEXTURES)
NAMES = (
    *(f"table:{name}" for name in TABLES),
    *(f"light:{name}" for name in LIGHTS),
    *("camera:20deg", "camera:10cm", "clutter", "clutter:6", "noise", "blur", "tint", "random"),
)
DRAWN = ("light:side", "table:wood", "camera:20deg", "camera:10cm", "clutter", "noise", "tint", "random")
"""Those that leave something to the seed."""
SEEDS = range(8)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(PANDA) as made:
        yield made


def thing(kind: str, colour: str, x: float, y: float) -> ObjectState:
    return ObjectState(name=f"{colour} {kind}", kind=kind, colour=colour, position_m=np.array([x, y, 0.02]))


THINGS = (thing("block", "red", 0.45, 0.1), thing("bowl", "blue", 0.55, -0.12), thing("zone", "green", 0.4, -0.1))


def shown(world: World, appearance: str, seed: int = 5, camera: str = "front", size_px: int = 96) -> Picture:
    world.set_objects(THINGS, parse_appearance(appearance, seed))
    return world.render(camera, size_px)


@pytest.mark.parametrize("camera", ["front", "wrist", "side"])
def test_where_nothing_is_said_pictures_are_to_the_last_bit_what_they_always_were(world: World, camera: str) -> None:
    world.set_objects(THINGS)
    seen = world.render(camera, 96)
    view = np.linalg.inv(seen.world_from_camera @ np.diag([1.0, -1.0, -1.0, 1.0]))
    client, angle = world._client, np.degrees(scene.CAMERAS[camera].field_of_view_rad)
    _, _, rgba, buffer, _ = client.getCameraImage(
        *(96, 96),
        viewMatrix=view.T.ravel().tolist(),
        projectionMatrix=client.computeProjectionMatrixFOV(float(angle), 1.0, 0.02, 4.0),
        lightDirection=[0.6, 0.5, 1.6],
        lightColor=[1.0, 1.0, 1.0],
        lightAmbientCoeff=0.62,
        lightDiffuseCoeff=0.42,
        lightSpecularCoeff=0.0,
        shadow=0,
        renderer=pybullet.ER_TINY_RENDERER,
    )
    expected = np.reshape(rgba, (96, 96, 4))[:, :, :3].astype(np.uint8)
    expected[np.reshape(buffer, (96, 96)) >= 1.0] = [168, 158, 143]
    assert np.array_equal(seen.rgb, expected)
    if camera != "wrist":
        assert np.array_equal(seen.world_from_camera, scene.CAMERAS[camera].mount)
    assert np.array_equal(shown(world, "", camera=camera).rgb, expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_changes_the_picture_and_equal_seeds_give_equal_ones(world: World, name: str) -> None:
    usual = shown(world, "").rgb.astype(int)
    one, two = shown(world, name).rgb, shown(world, name).rgb
    assert np.array_equal(one, two)
    # Everything but clutter changes much; clutter is small.
    changed = (np.abs(one - usual).max(axis=2) > 8).mean()
    assert changed > (0.003 if "clutter" in name else 0.01), changed
    if name in DRAWN:
        pictures = [shown(world, name, seed).rgb for seed in SEEDS]
        assert any(not np.array_equal(one, other) for other in pictures)


def test_what_is_said_together_is_what_is_said_alone(world: World) -> None:
    table, all_of_it = (parse_appearance(text, 3) for text in ("table:wood", "noise,light:dim, table:wood"))
    assert np.array_equal(table.table, all_of_it.table)
    assert (all_of_it.light.ambient, all_of_it.noise > 0.0) == (LIGHTS["dim"].ambient, True)
    both = parse_appearance("camera:20deg,camera:10cm", 3)
    assert abs(both.turn_rad) == pytest.approx(np.radians(20.0))
    assert np.linalg.norm(both.move_m) == pytest.approx(0.1)
    black = parse_appearance("table:black,random", 3)
    assert black.table.shape == (1, 1, 3) and black.table.max() < 30, "what is said beside `random` holds"


@pytest.mark.parametrize(
    "appearance", ["camera:20deg", "camera:10cm", f"camera:{LARGEST['deg']:g}deg,camera:{LARGEST['cm']:g}cm", "random"]
)
def test_things_are_where_the_picture_says(world: World, appearance: str) -> None:
    """The camera's pose is the true one: what is pointed at by colour is found, and depth agrees."""
    for seed, (x, y) in zip(SEEDS, itertools.cycle([(0.4, 0.2), (0.62, -0.2), (0.5, 0.0)]), strict=False):
        look = parse_appearance(appearance, seed)
        # Colours are told apart by their redness, which a tint or a dull light would spoil.
        look = replace(look, light=scene.LIGHT, gain=(1.0, 1.0, 1.0), noise=0.0, blur_px=0.0)
        world.set_objects([thing("zone", "red", x, y)], look)
        seen, depth = world.render("front", 224), world.depth("front", 224)
        red = np.argwhere((seen.rgb[:, :, 0] > 180) & (seen.rgb[:, :, 1] < 60) & (seen.rgb[:, :, 2] < 60))
        assert len(red) > 200
        [pixel] = project(seen, np.array([[x, y, 0.002]]))
        assert np.linalg.norm(red.mean(axis=0)[::-1] - pixel) < 2.0
        [found] = unproject(seen, red.mean(axis=0)[None, ::-1], 0.002)
        assert np.linalg.norm(found - [x, y]) < 0.006
        assert np.array_equal(depth.world_from_camera, seen.world_from_camera)
        u, v = np.round(pixel).astype(int)
        [back] = project(seen, at_depth(seen, u, v, float(depth.depth_m[v, u])))
        assert np.allclose(back, (u, v), atol=1e-6)
        assert np.allclose(at_depth(seen, u, v, float(depth.depth_m[v, u]))[0], [x, y, 0.002], atol=0.006)
        beside = at_depth(seen, 112, 218, float(depth.depth_m[218, 112]))[0]
        assert abs(beside[2]) < 1e-6 or look.clutter, "the bare table"


def at_depth(seen: Picture, u: int, v: int, depth_m: float) -> Float:
    ray = np.linalg.inv(seen.intrinsics_px) @ [u, v, 1.0] * depth_m
    return (seen.world_from_camera @ [*ray, 1.0])[None, :3]


@pytest.mark.parametrize("name", ["random", f"camera:{LARGEST['deg']:g}deg,camera:{LARGEST['cm']:g}cm"])
def test_wherever_the_camera_stands_the_centre_of_every_thing_is_in_the_picture(name: str) -> None:
    front = scene.CAMERAS["front"]
    corners = np.array([[x, y, z] for x in STANDING_M[0] for y in STANDING_M[1] for z in (0.0, 0.04)])
    for seed in range(300):
        pose = parse_appearance(name, seed).pose_of(front.mount)
        assert np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-9)
        frame = Picture(
            rgb=np.zeros((1, 1, 3), np.uint8),
            intrinsics_px=front.intrinsics_px(100),
            world_from_camera=pose,
            stamp_s=0.0,
        )
        pixels = project(frame, corners)
        assert pixels.min() > 0 and pixels.max() < 100, seed


def test_a_texture_lies_on_the_table_where_it_should_and_ends_with_it(world: World) -> None:
    table = np.full((*textures.SHAPE, 3), 128, dtype=np.uint8)
    x, y = 0.5, 0.15
    begin = [round((at - low) / textures.TEXEL_M) for at, low in ((x, scene.TABLE_X_M[0]), (y, scene.TABLE_Y_M[0]))]
    table[begin[0] : begin[0] + 10, begin[1] : begin[1] + 10] = [250, 0, 0]
    world.set_objects((), replace(USUAL, table=table, floor_rgb=(0.0, 0.0, 1.0)))
    for camera in ("front", "side"):
        seen = world.render(camera, 224)
        red = np.argwhere((seen.rgb[:, :, 0] > 200) & (seen.rgb[:, :, 1] < 10))
        middle = np.array([[x + 0.02, y + 0.02, 0.0]])
        assert np.linalg.norm(red.mean(axis=0)[::-1] - project(seen, middle)[0]) < 1.0
        floor = (seen.rgb == [0, 0, 255]).all(axis=2)
        assert np.array_equal(floor, ~np.isfinite(world.depth(camera, 224).depth_m))
        assert floor.any() == (camera == "side")


@pytest.mark.parametrize("light", [*LIGHTS, "usual"])
def test_the_table_is_as_bright_as_a_thing_of_its_colour_that_lies_on_it(world: World, light: str) -> None:
    told = LIGHTS.get(light, scene.LIGHT)
    world.set_objects([thing("zone", "blue", 0.5, 0.0)], replace(USUAL, light=told))
    at = (48, 48)
    zone = world.render("front", 96).rgb[at].astype(int)
    blue = replace(USUAL, light=told, table=textures.plain(scene.RGB["blue"]))
    world.set_objects((), blue)
    assert np.abs(world.render("front", 96).rgb[at].astype(int) - zone).max() <= 2
    assert np.ptp(zone) > 20


def test_noise_is_new_in_each_picture_and_the_same_at_the_same_time(world: World) -> None:
    first = shown(world, "noise").rgb
    assert np.array_equal(world.render("front", 96).rgb, first)
    world.step(PANDA.home_rad, np.zeros(7), PANDA.gripper_width_m)
    assert not np.array_equal(world.render("front", 96).rgb, first)
    assert np.array_equal(world.depth("front", 96).depth_m, world.depth("front", 96).depth_m)


def test_training_sees_tables_from_white_to_black_and_no_texture_of_evaluation() -> None:
    assert set(textures.TRAINED).isdisjoint(textures.TEXTURES.values())
    looks = [parse_appearance("random", seed) for seed in range(200)]
    means = np.array([look.table.mean() for look in looks])
    assert means.min() < 30 and means.max() > 225
    textured = np.mean([look.table.shape[0] > 1 for look in looks])
    assert 0.3 < textured < 0.7
    usual = [np.array_equal(look.table, USUAL.table) for look in looks]
    assert 0.15 < np.mean(usual) < 0.35, "some scenes keep the table as it is"
    for rng, name in ((np.random.default_rng(seed), name) for seed in range(5) for name in textures.TEXTURES):
        assert textures.TEXTURES[name](rng).shape == (*textures.SHAPE, 3)


@pytest.mark.parametrize("appearance", ["clutter:12", "clutter:8,camera:20deg,camera:10cm", "random"])
def test_clutter_lies_out_of_the_way_and_hides_nothing(world: World, appearance: str) -> None:
    reach = 0.03 + 0.06  # how far goals lie outside of the workspace, and the widest thing
    for seed in SEEDS:
        look = parse_appearance(appearance, seed)
        for piece in look.clutter:
            places = zip(piece.position_m[:2], STANDING_M, strict=True)
            assert any(not low - reach < at < high + reach for at, (low, high) in places), piece
            assert min(np.abs(np.subtract(scene.RGB[name], piece.rgb)).sum() for name in COLOURS) > 0.35
        pictures = []
        for shown_clutter in (look.clutter, ()):
            world.set_objects((), replace(look, clutter=shown_clutter, noise=0.0, blur_px=0.0))
            pictures.append(world.render("front", 160))
        changed = np.argwhere((pictures[0].rgb != pictures[1].rgb).any(axis=2))[:, ::-1]
        assert len(changed) >= 4 * len(look.clutter)
        if len(changed):
            x, y = unproject(pictures[0], changed.astype(float), 0.0).T
            hidden = (np.abs(x - np.mean(STANDING_M[0])) < 0.5 * np.ptp(STANDING_M[0]) + reach) & (
                np.abs(y) < STANDING_M[1][1] + reach
            )
            assert not hidden.any()


def test_clutter_cannot_be_touched_and_nothing_moves_otherwise_than_without(world: World) -> None:
    ends: list[NDArray[np.float64]] = []
    for text in ("", "clutter:12", "random", "table:marble,light:side,camera:20deg,noise"):
        look = parse_appearance(text, 1)
        bodies = world._client.getNumBodies
        world.set_objects([thing("block", "red", 0.45, 0.1)], look)
        others = range(bodies() - len(look.clutter), bodies())
        assert all(not world._client.getCollisionShapeData(body, -1) for body in others)
        SimArm(world, senses=()).execute(SkillCall(skill="pick", points_m=np.array([[0.45, 0.1, 0.02]])))
        assert world.held() == "red block" and set(world.objects()) == {"red block"}
        assert all(not world._client.getContactPoints(bodyA=body) for body in others)
        ends.append(np.append(world.joint_state()[0], world.objects()["red block"].position_m))
    assert all(np.array_equal(ends[0], end) for end in ends[1:])


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("tabel:white", UnknownNameError, "Did you mean 'table'.*blur, camera, clutter, light, noise"),
        ("table:wodo", UnknownNameError, "Did you mean 'wood'.*checks"),
        ("table", UnknownNameError, "unknown table ''.*marble"),
        ("light:dimm", UnknownNameError, "bright, dim, side"),
        ("camera:20", EmbodiedError, "write camera:20deg"),
        ("camera:90deg", EmbodiedError, "at most 45deg"),
        ("camera:0cm", EmbodiedError, "camera:10cm for a move, of at most 20cm"),
        ("clutter:99", EmbodiedError, f"1 to {clutter.MOST}"),
        ("clutter:x", EmbodiedError, f"1 to {clutter.MOST}"),
        ("noise:3", EmbodiedError, "write noise alone"),
        ("random:3", EmbodiedError, "write random alone"),
    ],
)
def test_what_does_not_exist_is_refused_in_one_line(text: str, error: type[EmbodiedError], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        parse_appearance(f"light:dim,{text}", 0)
    assert "\n" not in str(raised.value)


def test_nothing_said_is_the_usual_appearance() -> None:
    for text in ("", " ", ","):
        look = parse_appearance(text, 7)
        assert isinstance(look, Appearance)
        assert replace(look, seed=0).__dict__ == USUAL.__dict__
