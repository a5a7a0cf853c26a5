# SPDX-License-Identifier: Apache-2.0
"""Training pictures: what is painted keeps its kind and loses its name, and nothing held out is shown."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from embodied.plan import Thing, parse_plan
from embodied.train.grounding_data import UNNAMED, GroundingData
from embodied.vocabulary import COLOURS, KINDS
from sim import grounding, scene
from sim.tasks import make_task
from sim.tasks.base import HELD_OUT_THINGS
from sim.world import World


@pytest.fixture(scope="module")
def world():
    with World() as made:
        yield made


def test_a_painted_thing_loses_its_name_and_keeps_its_kind_and_place(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(grounding, "MOVED_SHARE", 0.0)
    made = next(s for s in map(partial(grounding.render_scene, world, size_px=160), range(50)) if unnamed(s))
    np.save(tmp_path / "pictures.npy", made.picture[None])
    row = {"objects": made.objects, "commands": made.commands}
    (tmp_path / "scenes.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "meta.json").write_text(json.dumps({"state": [0.0] * 8}))
    data = GroundingData(tmp_path)
    labels = data.labels(0, 10, 10)
    for colour, kind, u, v in made.objects:
        cell = int(v / 16) * 10 + int(u / 16)
        assert labels.colour[cell] == (UNNAMED if colour is None else colour)
        assert labels.kind[cell] == kind
        if colour is not None:
            assert data.find(0, Thing(COLOURS[colour], KINDS[kind])) == (u, v)
    for _, text in made.commands:
        plan = parse_plan(text)
        there = [data.find(0, thing) is not None for thing in plan.things]
        assert sum(not x for x in there) <= 1, "at most one thing of a command is not there"


def unnamed(made: grounding.Scene) -> bool:
    return any(colour is None for colour, *_ in made.objects)


def test_paint_comes_near_no_held_out_thing():
    rng = np.random.default_rng(0)
    for _ in range(300):
        objects = make_task("touch").sample(rng).objects
        kinds = {o.name: o.kind for o in objects}
        for name, rgb in grounding._paint(objects, rng).items():
            distance = {c: float(np.abs(np.subtract(scene.RGB[c], rgb)).sum()) for c in COLOURS}
            nearest = min(distance, key=distance.__getitem__)
            assert all((nearest, kinds[name]) != (t.colour, t.kind) for t in HELD_OUT_THINGS)


def test_equal_seeds_give_equal_scenes(world: World):
    for seed in (3, 4):
        a, b = (grounding.render_scene(world, seed, 64) for _ in range(2))
        assert np.array_equal(a.picture, b.picture)
        assert (a.objects, a.commands) == (b.objects, b.commands)
