# SPDX-License-Identifier: Apache-2.0
"""Pictures with words: the data that the PaLM-E core is trained on, rendered and labelled by the simulator.

Each scene is one picture of the front camera, the pixel at which each thing stands, and commands
with the plans that answer them. Scene i of a run depends on `seed + i` alone. Held-out templates,
nouns and attribute pairs never appear. In many scenes a thing or two is painted in a colour that has
no name here: what kind it is can still be told, so that kinds are not learned colour by colour.

    python -m sim.grounding scenes=24000 seed=0 out=data/grounding
"""

from __future__ import annotations

import colorsys
import json
import multiprocessing
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embodied.config import option, parse
from embodied.environments import EVALUATION_SEED
from embodied.errors import EmbodiedError
from embodied.geometry import project
from embodied.inputs import prepare_picture, prepare_state
from embodied.plan import GRASP_HEIGHT_M, Plan, Thing
from embodied.robots import PANDA
from embodied.types import ObjectState
from embodied.vocabulary import COLOURS, KINDS, OTHER_COLOURS
from sim import scene
from sim.tasks import FAMILIES
from sim.tasks.base import HELD_OUT_THINGS, pair_is_held_out
from sim.tasks.refusals import elsewhere_plan, impossible_command
from sim.world import World

RENDER_SIZE_PX = 224
COMMANDS_PER_SCENE = 16
IMPOSSIBLE_SHARE, ELSEWHERE_SHARE = 0.08, 0.25
OTHER_COLOUR_SHARE = 0.7
"""Of the things that are named and not there. Words of many colours teach to copy a colour rather than
to know by heart which ones go with a verb."""

MOVED_SHARE = 0.15
PAINTED_SHARE = 0.6
_TASKS = tuple(family() for family in FAMILIES)


@dataclass(kw_only=True)
class GroundingConfig:
    """Render pictures with pointed words for training."""

    out: str = option("data/grounding", "folder to write to")
    scenes: int = option(24000, "number of scenes")
    seed: int = option(0, "scene i is drawn from seed + i; below 1,000,000")
    size_px: int = option(160, "side of the stored pictures")
    workers: int = option(2, "processes that render")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One training scene."""

    picture: NDArray[np.uint8]  # (size_px, size_px, 3)
    objects: list[tuple[int | None, int, float, float]]
    """Colour index (None: a colour without a name), kind index, u and v in `picture`."""
    commands: list[tuple[str, str]]  # words, plan


def render_scene(world: World, seed: int, size_px: int) -> Scene:
    """The scene of one seed."""
    rng = np.random.default_rng(seed)
    objects = _TASKS[rng.integers(len(_TASKS))].sample(rng).objects
    paint = _paint(objects, rng) if rng.random() < PAINTED_SHARE else {}
    things = [Thing(o.colour, o.kind) for o in objects if o.name not in paint]
    commands = list(_commands(things, rng))
    if rng.random() < MOVED_SHARE:
        objects = _after_a_move(objects, rng)
    world.set_objects(objects)
    for name, rgb in paint.items():
        world.paint(name, rgb)
    frame = world.render("front", RENDER_SIZE_PX)
    ground = np.array([[o.position_m[0], o.position_m[1], GRASP_HEIGHT_M] for o in objects])
    pixels = (project(frame, ground) + 0.5) * (size_px / RENDER_SIZE_PX)
    return Scene(
        picture=prepare_picture(frame.rgb, size_px),
        objects=[
            (None if o.name in paint else COLOURS.index(o.colour), KINDS.index(o.kind), float(u), float(v))
            for o, (u, v) in zip(objects, pixels, strict=True)
        ],
        commands=[(text, plan.text()) for text, plan in commands],
    )


def write(config: GroundingConfig) -> Path:
    """Render `config.scenes` scenes into `config.out`. Raises EmbodiedError for evaluation seeds."""
    if config.seed < 0 or config.seed + config.scenes > EVALUATION_SEED:
        raise EmbodiedError(
            f"training seeds must lie in [0, {EVALUATION_SEED}); got {config.seed} to "
            f"{config.seed + config.scenes}. Choose a smaller seed or fewer scenes."
        )
    from rich.progress import track

    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    shape = (config.scenes, config.size_px, config.size_px, 3)
    pictures = np.lib.format.open_memmap(out / "pictures.npy", mode="w+", dtype=np.uint8, shape=shape)
    jobs = [(config.seed + i, config.size_px) for i in range(config.scenes)]
    with (
        multiprocessing.get_context("spawn").Pool(config.workers) as pool,
        (out / "scenes.jsonl").open("w") as file,
    ):
        scenes = pool.imap(_render_one, jobs, chunksize=64)
        for i, scene in enumerate(track(scenes, total=config.scenes, description="rendering")):
            pictures[i] = scene.picture
            file.write(json.dumps({"objects": scene.objects, "commands": scene.commands}) + "\n")
    pictures.flush()
    state = prepare_state(PANDA.home_rad, PANDA.max_gripper_width_m)
    (out / "meta.json").write_text(json.dumps({"seed": config.seed, "state": state.tolist()}) + "\n")
    return out


_world: World | None = None


def _render_one(job: tuple[int, int]) -> Scene:
    global _world
    _world = _world or World()
    return render_scene(_world, *job)


def _commands(things: list[Thing], rng: np.random.Generator) -> Iterator[tuple[str, Plan]]:
    for _ in range(COMMANDS_PER_SCENE):
        task = _TASKS[rng.integers(len(_TASKS))]
        choice = rng.random()
        if choice < IMPOSSIBLE_SHARE:
            yield impossible_command(things, rng)
            continue
        if choice < IMPOSSIBLE_SHARE + ELSEWHERE_SHARE:
            colours = OTHER_COLOURS if rng.random() < OTHER_COLOUR_SHARE else COLOURS
            elsewhere = elsewhere_plan(task, things, colours, rng)
            if elsewhere is not None:
                yield task.say(elsewhere[0], rng), elsewhere[0]
            continue
        plans = [plan for plan in task.plans_for(things) if not pair_is_held_out(plan)]
        if plans:
            plan = plans[rng.integers(len(plans))]
            assert HELD_OUT_THINGS.isdisjoint(plan.things)
            yield task.say(plan, rng), plan


def _paint(
    objects: tuple[ObjectState, ...], rng: np.random.Generator
) -> dict[str, tuple[float, float, float]]:
    """Colours without a name for one or two objects; none that comes near a held-out thing's."""
    painted: dict[str, tuple[float, float, float]] = {}
    for i in rng.permutation(len(objects))[: rng.integers(1, 3)]:
        while True:
            rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 1.0), rng.uniform(0.1, 1.0))
            nearest = min(COLOURS, key=lambda name: float(np.abs(np.subtract(scene.RGB[name], rgb)).sum()))
            if Thing(nearest, objects[i].kind) not in HELD_OUT_THINGS:
                break
        painted[objects[i].name] = rgb
    return painted


def _after_a_move(objects: tuple[ObjectState, ...], rng: np.random.Generator) -> tuple[ObjectState, ...]:
    """One block in a bowl or on a zone, as commands leave it."""
    blocks = [i for i, o in enumerate(objects) if o.kind == "block"]
    holders = [o for o in objects if o.kind != "block"]
    if not blocks or not holders:
        return objects
    moved, holder = blocks[rng.integers(len(blocks))], holders[rng.integers(len(holders))]
    height = 0.027 if holder.kind == "bowl" else 0.021
    position = np.array([*(holder.position_m[:2] + rng.normal(0.0, 0.008, 2)), height])
    block = replace(objects[moved], position_m=position)
    return (*objects[:moved], block, *objects[moved + 1 :])


if __name__ == "__main__":
    write(parse(GroundingConfig, sys.argv[1:], command="python -m sim.grounding"))
