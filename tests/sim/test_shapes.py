# SPDX-License-Identifier: Apache-2.0
"""Whatever shape is declared stands, is drawn and collides where the declaration says."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embodied.arm import arm_model
from embodied.errors import EmbodiedError
from embodied.geometry import project, rotation_matrix, turn_about
from embodied.motion.hand import HandPose
from embodied.things import THINGS, Box, Cylinder, Mesh, Part, Shape, Sphere, Thing, Urdf
from embodied.types import ObjectState
from sim.world import PHYSICS_HZ, World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(arm_model("panda")) as made:
        yield made


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> Callable[[Thing], Thing]:
    """Makes kinds of things known until the end of the test, and no others."""
    THINGS.names()
    monkeypatch.setattr(THINGS, "_parts", {})
    return lambda made: THINGS.register(made.name, made)


def thing(kind: str, colour: str, x: float, y: float, z: float = 0.02) -> ObjectState:
    return ObjectState(name=f"{colour} {kind}", kind=kind, colour=colour, position_m=np.array([x, y, z]))


def hold(world: World, seconds: float) -> None:
    model = world.model
    world.step(model.home_rad, np.zeros(model.joints), model.gripper_width_m, round(seconds * PHYSICS_HZ))


def box_of(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.min(), rows.min(), columns.max(), rows.max()], dtype=float)


SHAPES: dict[str, Shape] = {
    "box": Box(size_m=(0.03, 0.05, 0.04)),
    "cylinder": Cylinder(radius_m=0.02, height_m=0.06),
    "sphere": Sphere(radius_m=0.025),
    "wedge": Mesh(
        vertices_m=(
            (-0.02, -0.02, 0.0),
            (0.02, -0.02, 0.0),
            (0.02, 0.02, 0.0),
            (-0.02, 0.02, 0.0),
            (0.0, 0.0, 0.04),
        ),
        triangles=(0, 2, 1, 0, 3, 2, 0, 1, 4, 1, 2, 4, 2, 3, 4, 3, 0, 4),
    ),
}
LOWEST_M = {"box": 0.02, "cylinder": 0.03, "sphere": 0.025, "wedge": 0.0}
"""Height of the origin of each where it stands on the table."""


def kind_of(name: str, shape: Shape, **options: object) -> Thing:
    settings = {
        "mass_kg": 0.05,
        "origin_m": LOWEST_M.get(name, 0.0),
        "radius_m": 0.03,
        "touch_height_m": 0.06,
    }
    return Thing(name=name, shape=shape, collision=(Part(shape=shape),), **settings | options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_stands_where_it_is_put_and_is_drawn_there(
    world: World, name: str, things: Callable[[Thing], Thing]
) -> None:
    made = things(kind_of(name, SHAPES[name]))
    where = thing(name, "red", 0.5, 0.05, z=made.origin_m + 0.002)
    world.set_objects([where])
    hold(world, 1.0)
    found = world.objects()[f"red {name}"]
    assert found.kind == name and found.joint_position == {}
    assert np.allclose(found.position_m, [0.5, 0.05, made.origin_m], atol=2e-3)
    frame = world.render("front", 224)
    red = (frame.rgb[:, :, 0] > 90) & (frame.rgb[:, :, 1] < 60)
    middle = box_of(red).reshape(2, 2).mean(axis=0)
    centre = np.array([[0.5, 0.05, made.origin_m if name != "wedge" else 0.015]])
    assert np.abs(middle - project(frame, centre)[0]).max() < 2.5
    assert world.touched() == frozenset() and world.held() is None


def test_a_shape_in_a_file_is_that_shape(world: World, tmp_path: Path, things: Callable[[Thing], Thing]) -> None:
    """In the file it is ten times as large, and the scale makes it what the triangles are."""
    mesh = SHAPES["wedge"]
    assert isinstance(mesh, Mesh)
    lines = [f"v {x * 10} {y * 10} {z * 10}" for x, y, z in mesh.vertices_m]
    corners = [tuple(index + 1 for index in mesh.triangles[i : i + 3]) for i in range(0, len(mesh.triangles), 3)]
    (tmp_path / "wedge.obj").write_text("\n".join([*lines, *(f"f {a} {b} {c}" for a, b, c in corners), ""]))
    things(kind_of("wedge", mesh))
    things(kind_of("filed wedge", Mesh(file=tmp_path / "wedge.obj", scale=0.1)))
    boxes = []
    for name in ("wedge", "filed wedge"):
        world.set_objects([thing(name, "red", 0.5, 0.0, z=0.0)])
        hold(world, 0.3)
        rgb = world.render("front", 224).rgb
        boxes.append(box_of((rgb[:, :, 0] > 90) & (rgb[:, :, 1] < 60)))
    assert np.abs(boxes[0] - boxes[1]).max() <= 1


def test_what_has_no_mass_stays_and_what_has_no_body_is_passed_through(
    world: World, things: Callable[[Thing], Thing]
) -> None:
    things(kind_of("post", Cylinder(radius_m=0.02, height_m=0.06), mass_kg=0.0, origin_m=0.03))
    ball = things(kind_of("ball", Sphere(radius_m=0.02), origin_m=0.02))
    mark = Thing(name="mark", shape=Box(size_m=(0.1, 0.1, 0.001)), radius_m=0.05, touch_height_m=0.01, flat=True)
    things(mark)
    world.set_objects(
        [
            thing("post", "blue", 0.4, 0.0, z=0.5),
            thing("ball", "red", 0.6, 0.1, z=ball.origin_m + 0.1),
            thing("mark", "green", 0.6, 0.1),
        ]
    )
    hold(world, 1.0)
    found = world.objects()
    assert np.allclose(found["blue post"].position_m, [0.4, 0.0, 0.03]), "the rest stands on the table"
    assert np.allclose(world.objects()["green mark"].position_m, [0.6, 0.1, 0.0])
    assert found["red ball"].position_m[2] == pytest.approx(0.02, abs=2e-3)


def test_a_lying_thing_lies(world: World, things: Callable[[Thing], Thing]) -> None:
    things(kind_of("can", Cylinder(radius_m=0.02, height_m=0.08), origin_m=0.04))
    lying = turn_about(np.array([1.0, 0.0, 0.0]), 0.5 * np.pi)
    world.set_objects([replace(thing("can", "red", 0.5, 0.0, z=0.021), orientation=lying)])
    hold(world, 0.2)
    found = world.objects()["red can"]
    assert abs(rotation_matrix(found.orientation)[2, 2]) < 0.05
    assert found.position_m[2] == pytest.approx(0.02, abs=2e-3)


BOX, CYLINDER, SPHERE, WEDGE = SHAPES.values()


@pytest.mark.parametrize(
    ("parts", "tops_m"),
    [
        # By the x, y of a ball: the height above the table at which it finds something under it.
        ([Part(shape=CYLINDER, position_m=(0.1, 0.0, 0.03))], {(0.1, 0.0): 0.06, (0.0, 0.0): 0.0}),
        (
            [Part(shape=CYLINDER, position_m=(0.0, 0.1, 0.02), turn_rad=(0.5 * np.pi, 0.0, 0.0))],
            {(0.0, 0.1): 0.04, (0.0, 0.125): 0.04, (0.0, 0.0): 0.0},
        ),
        (
            [Part(shape=WEDGE, position_m=(0.0, 0.1, 0.04), turn_rad=(np.pi, 0.0, 0.0))],
            {(0.0, 0.1): 0.04, (0.015, 0.115): 0.04, (0.0, 0.0): 0.0},
        ),
        (
            [
                Part(shape=CYLINDER, position_m=(0.1, 0.0, 0.03)),
                Part(shape=BOX, position_m=(0.0, 0.1, 0.02)),
                Part(shape=SPHERE, position_m=(0.0, -0.1, 0.025)),
                Part(shape=BOX, position_m=(-0.1, 0.0, 0.025), turn_rad=(0.5 * np.pi, 0.0, 0.0)),
            ],
            {(0.1, 0.0): 0.06, (0.0, 0.1): 0.04, (0.0, -0.1): 0.05, (-0.1, 0.0): 0.05, (0.0, 0.0): 0.0},
        ),
    ],
    ids=["cylinder", "lying cylinder", "mesh", "of all kinds"],
)
def test_parts_collide_where_they_are_declared(
    world: World,
    parts: list[Part],
    tops_m: dict[tuple[float, float], float],
    things: Callable[[Thing], Thing],
) -> None:
    things(replace(kind_of("rack", BOX, mass_kg=0.0), collision=tuple(parts)))
    things(kind_of("ball", Sphere(radius_m=0.01), origin_m=0.01))
    for (x, y), top_m in tops_m.items():
        world.set_objects([thing("rack", "red", 0.5, 0.0), thing("ball", "blue", 0.5 + x, y, z=top_m + 0.011)])
        hold(world, 0.1)
        assert world.objects()["blue ball"].position_m[2] == pytest.approx(top_m + 0.01, abs=2e-3), (x, y)


def test_a_mesh_among_several_parts_is_refused_where_it_is_declared() -> None:
    with pytest.raises(EmbodiedError, match=r"gem: several parts .* boxes, cylinders and spheres; a mesh"):
        replace(kind_of("gem", BOX), collision=(Part(shape=BOX), Part(shape=WEDGE)))


DRAWER = """<robot name="drawer">
<link name="case"><inertial><mass value="1"/>
<inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>
<visual><origin xyz="0 0 0.01"/><geometry><box size="0.1 0.1 0.02"/></geometry></visual>
<collision><origin xyz="0 0 0.01"/><geometry><box size="0.1 0.1 0.02"/></geometry></collision></link>
<link name="tray"><inertial><mass value="0.1"/>
<inertia ixx="1e-3" iyy="1e-3" izz="1e-3" ixy="0" ixz="0" iyz="0"/></inertial>
<visual><geometry><box size="0.08 0.08 0.02"/></geometry></visual>
<collision><geometry><box size="0.08 0.08 0.02"/></geometry></collision></link>
<joint name="slide" type="prismatic"><parent link="case"/><child link="tray"/>
<origin xyz="0 0 0.032"/><axis xyz="1 0 0"/>
<limit lower="0" upper="0.1" effort="1" velocity="1"/><dynamics friction="0.0" damping="0.1"/></joint>
</robot>"""


def test_a_thing_with_joints_is_built_from_its_file_and_tells_where_they_are(
    world: World, tmp_path: Path, things: Callable[[Thing], Thing]
) -> None:
    (tmp_path / "drawer.urdf").write_text(DRAWER)
    shape = Urdf(file=tmp_path / "drawer.urdf")
    things(Thing(name="drawer", shape=shape, radius_m=0.07, touch_height_m=0.05))
    world.set_objects([thing("drawer", "white", 0.5, 0.0)])
    hold(world, 0.2)
    found = world.objects()["white drawer"]
    assert set(found.joint_position) == {"slide"}
    assert found.joint_position["slide"] == pytest.approx(0.0, abs=0.02)
    assert np.allclose(found.position_m, [0.5, 0.0, 0.0])
    # The fingers come down behind the tray and push it open.
    for z in (0.06, 0.03):
        push(world, np.array([0.44, 0.0, z]))
    for x in np.linspace(0.44, 0.51, 15):
        push(world, np.array([x, 0.0, 0.03]))
    world.note_touches()
    assert "white drawer" in world.touched()
    assert world.objects()["white drawer"].joint_position["slide"] > 0.02
    with World(world.model) as other:
        other.follow(world)
        assert other.objects()["white drawer"].joint_position == world.objects()["white drawer"].joint_position
    world.set_objects([thing("drawer", "white", 0.5, 0.0)])
    assert world.objects()["white drawer"].joint_position["slide"] == pytest.approx(0.0)


def push(world: World, place_m: np.ndarray) -> None:
    model = world.model
    goal = HandPose.down(place_m).matrix()
    q = model.chain.inverse(goal, world.joint_state()[0], rest_rad=model.home_rad)
    world.step(q, np.zeros(model.joints), 0.0, 48)
