# SPDX-License-Identifier: Apache-2.0
"""Every kind of thing, in both sizes, in physics: it stands, and what its verbs say can be done to it is done."""

from collections.abc import Iterator

import numpy as np
import pytest

from embodied.arm import arm_model
from embodied.geometry import project, upright
from embodied.language.nouns import Noun
from embodied.language.verbs import Plan
from embodied.things import THINGS, thing_of
from embodied.types import ObjectState
from sim.env import TabletopEnv
from sim.tasks import Episode, SceneState, make_task
from sim.tasks.mixed import SIZES
from sim.tasks.scenes import HELD_OUT_KINDS, place_things
from sim.world import PHYSICS_HZ, World

KINDS = (*make_task("mixed").target_kinds, *sorted(HELD_OUT_KINDS))
TAKEN = tuple(kind for kind in KINDS if THINGS.get(kind).grasp is not None)
ZONE, BOWL = Noun("blue", "zone"), Noun("blue", "bowl")


@pytest.fixture(scope="module")
def env() -> Iterator[TabletopEnv]:
    with TabletopEnv("mixed", action_mode="skill", senses=()) as made:
        yield made


def done(env: TabletopEnv, plan: Plan, sizes: tuple[float, ...], seeds: range) -> int:
    """How often the oracle fulfils a plan whose things, in these sizes, are all that is there."""
    task, successes = make_task("mixed"), 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        objects = None
        while objects is None or not task.goal_is_free(plan, objects):
            objects = place_things(plan.nouns, rng, sizes)
        episode = Episode(task="mixed", split="seen", objects=objects, instruction="", plan=plan)
        env.reset(seed=seed, options={"episode": episode})
        *_, info = env.step(env.skills.encode(env.oracle()))
        successes += bool(info["is_success"])
    return successes


def plan_of(verb: str, target: str, reference: Noun | None = None, relation: str | None = None) -> Plan:
    return Plan(verb=verb, target=Noun("red", target), reference=reference, relation=relation)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_stands_still(kind: str, size: float) -> None:
    with World(arm_model("panda")) as world:
        for seed in range(3):
            objects = place_things([Noun("red", kind)], np.random.default_rng(seed), [size])
            assert objects is not None
            world.set_objects(objects)
            hold(world, 0.1)
            settled = world.objects()[f"red {kind}"]
            hold(world, 2.0)
            now = world.objects()[f"red {kind}"]
            assert np.allclose(now.position_m, settled.position_m, atol=5e-4)
            assert np.allclose(now.position_m, objects[0].position_m, atol=1.5e-3)
            assert abs(now.yaw_rad - objects[0].yaw_rad) < 0.02
            assert world.held() is None and world.touched() == frozenset()


def hold(world: World, seconds: float) -> None:
    model = world.model
    world.step(model.home_rad, np.zeros(model.joints), model.gripper_width_m, round(seconds * PHYSICS_HZ))


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_one_is_drawn_small_and_stands_on_the_table(kind: str) -> None:
    widths, middle = [], np.array([0.5, 0.0])
    with World(arm_model("panda")) as world:
        for size in SIZES:
            thing = THINGS.get(kind).scaled(size)
            place = np.append(middle, thing.origin_m if thing.mass_kg > 0.0 else 0.0)
            world.set_objects(
                [
                    ObjectState(
                        name="it", kind=kind, colour="red", position_m=place, orientation=upright(0.0), scale=size
                    )
                ]
            )
            frame = world.render("front", 224)
            columns = np.nonzero(((frame.rgb[:, :, 0] > 90) & (frame.rgb[:, :, 1] < 80)).any(axis=0))[0]
            widths.append(np.ptp(columns) + 1)
            at = project(frame, np.array([[*middle, thing.origin_m]]))[0]
            assert abs(columns.mean() - at[0]) < 2.0
    assert widths[1] / widths[0] == pytest.approx(SIZES[1] / SIZES[0], abs=0.06)


def test_a_ball_that_is_let_go_stays(env: TabletopEnv) -> None:
    """It falls a little, or is set rolling: it comes to rest near by."""
    world = env.world
    for size in SIZES:
        thing = THINGS.get("ball").scaled(size)
        ball = ObjectState(
            name="ball", kind="ball", colour="red", position_m=np.array([0.5, 0.0, thing.origin_m + 0.02]), scale=size
        )
        world.set_objects([ball])
        hold(world, 1.0)
        assert np.linalg.norm(world.objects()["ball"].position_m[:2] - [0.5, 0.0]) < 2e-3


@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", TAKEN)
def test_it_is_picked_up(env: TabletopEnv, kind: str, size: float) -> None:
    assert done(env, plan_of("pick_up", kind), (size,), range(20)) >= 19


@pytest.mark.parametrize("holder_size", SIZES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("kind", "holder"),
    [("block", "bowl"), ("ball", "bowl"), ("cylinder", "tray"), ("bar", "tray"), ("ball", "cup")],
)
def test_it_is_put_in(env: TabletopEnv, kind: str, holder: str, size: float, holder_size: float) -> None:
    plan = plan_of("put_in_bowl", kind, Noun("blue", holder))
    if THINGS.get(holder).scaled(holder_size).has_room_for(THINGS.get(kind).scaled(size)):
        assert done(env, plan, (size, holder_size), range(2)) == 2
    else:
        objects = place_things(plan.nouns, np.random.default_rng(0), (size, holder_size))
        assert objects is not None and not make_task("mixed").goal_is_free(plan, objects)


@pytest.mark.parametrize("sizes", [(1.0, 1.0), (0.75, 1.0), (1.0, 0.75)])
@pytest.mark.parametrize(
    ("kind", "base"),
    [
        ("block", "cylinder"),
        ("cylinder", "block"),
        ("cup", "block"),
        ("bar", "block"),
        ("block", "bar"),
        ("cup", "plate"),
    ],
)
def test_it_is_stacked(env: TabletopEnv, kind: str, base: str, sizes: tuple[float, float]) -> None:
    assert done(env, plan_of("stack", kind, Noun("blue", base)), sizes, range(2)) == 2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", TAKEN)
def test_it_is_pushed(env: TabletopEnv, kind: str, size: float) -> None:
    assert done(env, plan_of("push_to", kind, ZONE), (size, 1.0), range(2)) == 2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", TAKEN)
def test_it_is_put_down_beside_something(env: TabletopEnv, kind: str, size: float) -> None:
    assert done(env, plan_of("place_relative", kind, BOWL, "left of"), (size, 1.0), range(2)) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_touched(env: TabletopEnv, kind: str) -> None:
    sizes = SIZES if THINGS.get(kind).flat else SIZES[:1]
    for size in sizes:
        assert done(env, plan_of("touch", kind), (size,), range(2)) == 2


def test_what_is_beside_a_narrow_cup_is_not_in_it() -> None:
    task = make_task("mixed")
    plan = plan_of("put_in_bowl", "ball", Noun("blue", "cup"))
    cup = ObjectState(name="blue cup", kind="cup", colour="blue", position_m=np.array([0.5, 0.0, 0.03]))
    for offset_m, inside in ((0.0, True), (0.048, False)):
        place = np.array([0.5 + offset_m, 0.0, 0.03])
        ball = ObjectState(name="red ball", kind="ball", colour="red", position_m=place)
        episode = Episode(task="mixed", split="seen", objects=(ball, cup), instruction="", plan=plan)
        state = SceneState(objects={o.name: o for o in episode.objects}, held=None, touched=frozenset())
        assert thing_of(ball).rolls and task.success(episode, state) is inside
