# SPDX-License-Identifier: Apache-2.0
"""The studio: it shows the world as it stands, to people, and the world does not notice."""

import numpy as np
import pytest
from numpy.typing import NDArray

from embodied.arm import ARMS, arm_model
from embodied.geometry import project, upright
from embodied.motion.skills import SkillCall
from embodied.types import ObjectState, Picture
from sim import scene
from sim.appearance import parse_appearance
from sim.arm import SimArm
from sim.env import TabletopEnv
from sim.studio import Studio
from sim.world import World

PANDA = arm_model("panda")
PICK = SkillCall(skill="pick", points_m=np.array([[0.5, 0.0, 0.02]]))


def thing(kind: str, colour: str, x: float, y: float, z: float = 0.02) -> ObjectState:
    position, turn = np.array([x, y, z]), upright(0.3)
    return ObjectState(name=f"{colour} {kind}", kind=kind, colour=colour, position_m=position, orientation=turn)


SCENE = (thing("block", "red", 0.5, 0.0), thing("bowl", "blue", 0.55, -0.2), thing("zone", "green", 0.4, 0.2))


def around(picture: NDArray[np.uint8], camera: Picture, x: float, y: float, size_px: int) -> NDArray[np.uint8]:
    """What is shown about a place on the table."""
    u, v = project(camera, np.array([[x, y, 0.0]]))[0].round().astype(int)
    return picture[v - size_px : v + size_px + 1, u - size_px : u + size_px + 1]


def assert_same_state(one: World, two: World) -> None:
    assert one.time_s == two.time_s
    for mine, theirs in zip(one.joint_state(), two.joint_state(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    things = one.objects()
    assert list(things) == list(two.objects())
    for name, other in two.objects().items():
        assert (things[name].kind, things[name].colour) == (other.kind, other.colour)
        np.testing.assert_allclose(things[name].position_m, other.position_m, atol=1e-9)
        np.testing.assert_allclose(things[name].orientation, other.orientation, atol=1e-9)


@pytest.mark.parametrize("name", ARMS.names())
def test_a_world_that_follows_stands_as_the_other_does(name: str) -> None:
    with World(arm_model(name)) as world, World(arm_model(name), detailed=True) as shown:
        world.set_objects(SCENE)
        shown.follow(world)
        assert_same_state(shown, world)
        SimArm(world, senses=()).execute(PICK)
        assert world.held() == "red block"
        shown.follow(world)
        assert_same_state(shown, world)
        # A camera on the hand shows that the links stand there too.
        seen = (each.render("wrist", 16).world_from_camera for each in (shown, world))
        np.testing.assert_allclose(*seen, atol=1e-5)
        world.set_objects(SCENE[:1], parse_appearance("table:black", 0))
        shown.follow(world)
        assert_same_state(shown, world)
        assert shown.render("front", 32).rgb[-1].max() < 40


def test_what_was_painted_is_shown_so() -> None:
    with World(PANDA) as world, Studio(world) as studio:
        world.set_objects(SCENE)
        seen = world.render("front", 160)
        before = around(studio.picture("front", 160), seen, 0.4, 0.2, 1)
        world.paint("green zone", (1.0, 0.0, 0.0))
        after = around(studio.picture("front", 160), seen, 0.4, 0.2, 1)
    assert before.argmax(axis=2).tolist() == np.full((3, 3), 1).tolist()
    assert after.argmax(axis=2).tolist() == np.full((3, 3), 0).tolist()


def test_nobody_notices_a_studio() -> None:
    """To the last bit: pictures, arm and things are what they are without one."""
    pictures = []
    with World(PANDA) as alone, World(PANDA) as filmed, Studio(filmed) as studio:
        for world in (alone, filmed):
            world.set_objects(SCENE)
            arm = SimArm(world, senses=())
            watch = (lambda: None) if world is alone else (lambda: pictures.append(studio.picture("side", 32)))
            arm.execute(PICK, on_tick=watch)
        assert len(pictures) > 5 and (pictures[0] != pictures[-1]).any()
        assert_same_state(filmed, alone)
        for camera in scene.CAMERAS:
            np.testing.assert_array_equal(filmed.render(camera, 96).rgb, alone.render(camera, 96).rgb)


@pytest.mark.parametrize("size_px", [64, 121])
def test_a_picture_has_the_size_that_was_asked_for_and_smooth_edges(size_px: int) -> None:
    def between(rgb: NDArray[np.uint8]) -> int:
        """Pixels about the zone that are neither green nor table."""
        red = around(rgb, seen, 0.4, 0.2, size_px // 10)[..., 0]
        return int(((red > 60) & (red < 130)).sum())

    with World(PANDA) as world, Studio(world) as studio:
        world.set_objects(SCENE)
        seen = world.render("front", size_px)
        picture = studio.picture("front", size_px)
    assert picture.shape == (size_px, size_px, 3) and picture.dtype == np.uint8
    assert between(seen.rgb) == 0 < 4 < between(picture)


def test_what_the_light_does_not_reach_is_darker_by_the_light_that_it_lacks() -> None:
    high = thing("block", "red", 0.5, 0.0, z=0.3)
    along_x, along_y = (way / scene.LIGHT.direction[2] for way in scene.LIGHT.direction[:2])
    x, y = 0.5 - 0.3 * along_x, -0.3 * along_y
    share = scene.LIGHT.ambient / scene.LIGHT.on_table
    for there in ((), (thing("zone", "green", x, y),)):
        with World(PANDA, detailed=True) as world:
            world.set_objects(there)
            bright = world.render("front", 224)
            world.set_objects((high, *there))
            dark = world.render("front", 224)
        lit, shaded = (around(each.rgb, bright, x, y, 1).astype(float) for each in (bright, dark))
        np.testing.assert_allclose(shaded, share * lit, rtol=0.1)
        # The other side of the block has all of its light.
        np.testing.assert_array_equal(*(around(each.rgb, bright, 0.62, 0.12, 2) for each in (bright, dark)))


def test_a_panda_is_shown_as_its_maker_made_it_and_another_arm_in_its_own_shapes() -> None:
    for name, least, most in (("panda", 0.02, 0.2), ("ur5e", 0.0, 0.0)):
        with World(arm_model(name)) as world, World(arm_model(name), detailed=True) as shown:
            shown.follow(world)
            plain, detailed = (np.minimum(each.depth("side", 96).depth_m, 9.0) for each in (world, shown))
        elsewhere = (np.abs(plain - detailed) > 0.01).mean()
        assert least <= elsewhere <= most, (name, elsewhere)


def test_an_environment_has_a_studio_and_can_be_drawn_so_itself() -> None:
    with TabletopEnv("touch") as env, TabletopEnv("touch", detailed=True) as detailed:
        seen, _ = env.reset(seed=3)
        drawn, _ = detailed.reset(seed=3)
        with env.studio() as studio:
            picture = studio.picture("front", 224)
    assert (np.abs(seen["front"].astype(int) - drawn["front"]) > 20).any(axis=2).mean() > 0.01
    # The same, but for the edges.
    assert np.abs(picture.astype(int) - drawn["front"]).mean() < 3.0
