# SPDX-License-Identifier: Apache-2.0
"""Training pictures: what is painted keeps its kind and loses its name, and nothing held out is shown."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from embodied.arm import DEFAULT_ARM, arm_model
from embodied.data.sample import Sample
from embodied.errors import EmbodiedError, UnknownNameError
from embodied.language.looks import LOOKS, Choice
from embodied.language.nouns import Noun
from embodied.language.verbs import WHICH, look_of, parse_plan
from embodied.language.vocabulary import COLOURS, OTHER_COLOURS
from embodied.model.heads.grid import UNNAMED, labels
from embodied.train.grounding_data import GroundingData
from embodied.types import ObjectState
from sim import grounding, scene
from sim.grounding import GroundingConfig
from sim.paint import without_names
from sim.tasks import TABLETOP, make_task
from sim.tasks.scenes import HELD_OUT_KINDS, HELD_OUT_THINGS, held_by, holder_of
from sim.world import World


@pytest.fixture(scope="module")
def world():
    with World(arm_model(DEFAULT_ARM)) as made:
        yield made


def every_command(data: GroundingData, index: int) -> Sample:
    return data.sample(index, np.random.default_rng(0), commands=99, history=1, horizon=0)


def test_a_painted_thing_loses_its_name_and_keeps_its_kind_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grounding, "MOVED_SHARE", 0.0)
    monkeypatch.setattr(grounding, "PAINTED_SHARE", 1.0)
    monkeypatch.setattr(grounding, "UNDER_WAY_SHARE", 0.0)
    monkeypatch.setattr(grounding, "TWIN_SHARE", 0.0)
    grounding.write(GroundingConfig(out=str(tmp_path), scenes=2, workers=1))
    data = GroundingData(tmp_path)
    for index in range(2):
        sample = every_command(data, index)
        named = labels(sample.things, (10, 10), data.colours, data.kinds)
        objects = data.scenes[index]["objects"]
        assert any(colour is None for colour, *_ in objects)
        for colour, kind, u, v, *_ in objects:
            cell = int(v / 16) * 10 + int(u / 16)
            assert named.colour[cell] == (UNNAMED if colour is None else colour)
            assert named.kind[cell] == kind
            if colour is not None:
                seen = sample.find(Noun(COLOURS[colour], data.kinds[kind]))
                assert (160 * seen.u, 160 * seen.v) == pytest.approx((u, v))
        for command in sample.commands:
            there = [sample.find(noun) is not None for noun in command.plan.nouns]
            assert sum(not x for x in there) <= 1, "at most one thing of a command is not there"


def test_the_data_say_where_on_the_table_things_are_and_what_is_in_or_on_what(world: World):
    holds = 0
    for seed in range(11, 41):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(grounding, "UNDER_WAY_SHARE", 1.0)
            made = grounding.render_scene(world, seed, 32)
        at_rest = world.objects()
        places = sorted(tuple(np.round(o.position_m[:2], 4)) for o in at_rest.values())
        for _, _, _, _, x_m, y_m, on in made.objects:
            assert (x_m, y_m) in places
            if on is not None:
                holder = made.objects[on]
                assert np.hypot(x_m - holder[4], y_m - holder[5]) < 0.08
                holds += 1
    assert holds > 2


def test_what_is_over_a_thing_and_above_it_is_in_or_on_it():
    def item(kind: str, x_m: float, z_m: float, name: str) -> ObjectState:
        return ObjectState(name=name, kind=kind, colour="red", position_m=np.array([x_m, 0.0, z_m]))

    scene = [
        item("zone", 0.4, 0.0, "zone"),
        item("block", 0.43, 0.02, "on the zone"),
        item("block", 0.43, 0.06, "on the block"),
        item("bowl", 0.6, 0.0, "bowl"),
        item("block", 0.64, 0.027, "in the bowl"),
        item("block", 0.50, 0.02, "beside all"),
    ]
    names = [holder.name if (holder := holder_of(each, scene)) else None for each in scene]
    assert names == [None, "zone", "on the zone", None, "bowl", None]


def test_what_lies_on_something_in_a_bowl_is_in_the_bowl_and_on_that():
    bowl, first, second = (
        ObjectState(name=name, kind=kind, colour="red", position_m=np.array([0.6, y_m, z_m]))
        for name, kind, y_m, z_m in (
            ("bowl", "bowl", 0.0, 0.0),
            ("a", "block", 0.0, 0.027),
            ("b", "block", 0.005, 0.067),
        )
    )
    scene = [second, bowl, first]
    assert held_by(bowl, scene) == [first, second] and held_by(first, scene) == [second]
    assert holder_of(second, scene) is first and held_by(second, scene) == []


def test_the_data_say_which_words_they_hold(tmp_path: Path):
    grounding.write(GroundingConfig(out=str(tmp_path), scenes=1, size_px=32, workers=1, tasks=list(TABLETOP)))
    meta = json.loads((tmp_path / "meta.json").read_text())
    assert meta["kinds"] == ["block", "bowl", "zone"]
    assert meta["verbs"] == ["touch", "pick_up", "put_in_bowl", "stack", "push_to", "place_relative"]
    assert (meta["colours"], meta["other_colours"]) == (list(COLOURS), list(OTHER_COLOURS))
    assert len(meta["state"]) == 8
    one_task = GroundingConfig(out=str(tmp_path), scenes=3, size_px=32, workers=1, tasks=["stack"])
    grounding.write(one_task)
    assert json.loads((tmp_path / "meta.json").read_text())["verbs"] == ["stack"]
    data = GroundingData(tmp_path)
    plans = [command.plan for i in range(3) for command in every_command(data, i).commands]
    assert {plan.verb for plan in plans} <= {"stack", "cannot", "absent"}
    grounding.write(
        GroundingConfig(out=str(tmp_path), scenes=1, size_px=32, workers=1, tasks=["+stack", "+playground"])
    )
    every = json.loads((tmp_path / "meta.json").read_text())
    grounding.write(GroundingConfig(out=str(tmp_path), scenes=1, size_px=32, workers=1))
    assert every["kinds"] == json.loads((tmp_path / "meta.json").read_text())["kinds"] and "swap" in every["verbs"]


def test_the_data_say_whose_state_they_hold_and_show_that_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shown = []
    render = grounding.render_scene
    monkeypatch.setattr(
        grounding, "render_scene", lambda world, *rest: shown.append(world.model.name) or render(world, *rest)
    )
    for name in ("panda", "ur5e"):
        grounding.write(GroundingConfig(out=str(tmp_path), scenes=1, size_px=32, workers=1, arm=name))
        meta = json.loads((tmp_path / "meta.json").read_text())
        model = arm_model(name)
        assert meta["arm"] == name
        assert meta["state"] == pytest.approx([*model.home_rad, 10.0 * model.gripper_width_m])
    assert shown == ["panda", "ur5e"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"arm": "pandda"}, UnknownNameError, "Did you mean 'panda'"),
        ({"seed": 999_999, "scenes": 2}, EmbodiedError, "training seeds"),
        ({"tasks": ["stak"]}, UnknownNameError, "Did you mean 'stack'"),
        ({"tasks": ["+stak"]}, UnknownNameError, "Did you mean 'stack'"),
        ({"tasks": ["+stack", "touch"]}, EmbodiedError, r"write \+ before all of them, or before none"),
        ({"scenes": 0}, EmbodiedError, "scenes"),
        ({"appearance": "rnadom"}, UnknownNameError, "Did you mean 'random'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    changes: dict[str, object], error: type[EmbodiedError], message: str, tmp_path: Path
):
    with pytest.raises(error, match=message):
        grounding.write(GroundingConfig(out=str(tmp_path / "data"), **changes))
    assert not (tmp_path / "data").exists()


def test_paint_comes_near_no_held_out_thing():
    rng = np.random.default_rng(0)
    for _ in range(300):
        objects = make_task("touch").sample(rng).objects
        kinds = {o.name: o.kind for o in objects}
        for name, rgb in without_names(objects, rng).items():
            distance = {c: float(np.abs(np.subtract(scene.RGB[c], rgb)).sum()) for c in COLOURS}
            nearest = min(distance, key=distance.__getitem__)
            assert all((nearest, kinds[name]) != (noun.colour, noun.kind) for noun in HELD_OUT_THINGS)


def test_equal_seeds_give_equal_scenes(world: World):
    for seed in (3, 4):
        a, b = (grounding.render_scene(world, seed, 64) for _ in range(2))
        assert np.array_equal(a.picture, b.picture)
        assert (a.objects, a.commands) == (b.objects, b.commands)


def test_an_appearance_changes_the_picture_and_where_things_are_seen_and_no_word(world: World):
    for seed in range(12):
        usual, other, again = (grounding.render_scene(world, seed, 64, TABLETOP, a) for a in ("", "random", "random"))
        assert np.array_equal(other.picture, again.picture) and not np.array_equal(other.picture, usual.picture)
        assert other.commands == usual.commands
        assert [o[:2] for o in other.objects] == [o[:2] for o in usual.objects]
        assert all(0.0 < at < 64.0 for o in other.objects for at in o[2:4])


def test_the_data_say_what_they_look_like(tmp_path: Path):
    grounding.write(GroundingConfig(out=str(tmp_path), scenes=1, size_px=32, workers=1, appearance="table:white"))
    assert json.loads((tmp_path / "meta.json").read_text())["appearance"] == "table:white"
    assert np.load(tmp_path / "pictures.npy")[0, -1, :, :].min() > 200


def test_no_command_names_what_is_held_out(world: World):
    for seed in range(20):
        for text, plan, _ in grounding.render_scene(world, seed, 32).commands:
            assert HELD_OUT_THINGS.isdisjoint(parse_plan(plan).nouns), text
            assert HELD_OUT_KINDS.isdisjoint(noun.kind for noun in parse_plan(plan).nouns), text


def test_of_two_things_of_one_name_it_is_asked_which_or_looked_for(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grounding, "TWIN_SHARE", 1.0)
    monkeypatch.setattr(grounding, "UNDER_WAY_SHARE", 0.0)
    asked = found = 0
    for seed in range(6):
        made = grounding.render_scene(world, seed, 32)
        named = Counter((colour, kind) for colour, kind, *_ in made.objects)
        kinds = grounding.kinds_of([make_task(name) for name in grounding.TASKS])
        twins = {Noun(COLOURS[c], kinds[k]) for (c, k), count in named.items() if count > 1}
        for text, plan, looks in ((text, parse_plan(plan), looks) for text, plan, looks in made.commands):
            if not plan.refused and not twins.isdisjoint(plan.nouns):
                assert [look_of(each).target in twins for each in looks] == [True], text
                assert isinstance(LOOKS.get(look_of(looks[0]).verb), Choice), text
                found += 1
            asked += plan.verb == WHICH and plan.target in twins
    assert asked and found


def test_nobody_speaks_of_what_is_painted(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grounding, "TWIN_SHARE", 0.0)
    monkeypatch.setattr(grounding, "PAINTED_SHARE", 1.0)
    monkeypatch.setattr(grounding, "UNDER_WAY_SHARE", 0.0)
    kinds = grounding.kinds_of([make_task(name) for name in grounding.TASKS])
    for seed in range(6):
        made = grounding.render_scene(world, seed, 32)
        seen = {Noun(COLOURS[c], kinds[k]) for c, k, *_ in made.objects if c is not None}
        for text, plan in ((text, parse_plan(plan)) for text, plan, _ in made.commands):
            assert plan.refused or seen.issuperset(plan.nouns), text


def test_a_scene_says_much_of_what_it_was_made_for(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grounding, "SCENES", dict.fromkeys(grounding.TASKS, 0.0) | {"take_out": 1.0})
    monkeypatch.setattr(grounding, "TWIN_SHARE", 0.0)
    verbs = [
        parse_plan(plan).verb for seed in range(8) for _, plan, _ in grounding.render_scene(world, seed, 32).commands
    ]
    assert verbs.count("take_out") > 0.03 * len(verbs)
