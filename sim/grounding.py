# SPDX-License-Identifier: Apache-2.0
"""Pictures with words: the data that the PaLM-E core is trained on, rendered and labelled by the simulator.

Each scene is one picture of the front camera, the pixel at which each thing stands, and commands
with the plans that answer them. Scene i of a run depends on `seed + i` alone. Held-out templates,
nouns and attribute pairs never appear. In some scenes a thing or two is painted in a colour that has
no name here: what kind it is can still be told, so that kinds are not learned colour by colour. Most scenes
are in the middle of a long task: the sentence tells what was done, and the plan is the next step.

    embodied collect task=grounding scenes=14000 seed=0 out=data/grounding
"""

import json
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embodied.arm import DEFAULT_ARM, arm_model
from embodied.config import option, parse
from embodied.environments import EVALUATION_SEED
from embodied.errors import EmbodiedError
from embodied.files import check_folder, replacing, write_text
from embodied.geometry import project
from embodied.inputs import POINTED_HEIGHT_M, prepare_picture, prepare_state
from embodied.language.dialogue import is_joined, joined
from embodied.language.nouns import Noun
from embodied.language.verbs import ABSENT, ANSWERS, CANNOT, SAY, Plan, look_of
from embodied.language.vocabulary import COLOURS, OTHER_COLOURS
from embodied.model.composition import TABLETOP_VERBS
from embodied.processes import progress_bar, run_in_order
from embodied.things import thing_of
from embodied.types import ObjectState, Step
from sim.appearance import parse_appearance
from sim.moments import EARLIER_SHARE, drawn, some_moment, under_way
from sim.paint import without_names
from sim.phrases.talk import Talk
from sim.tasks import CONVERSATION, LANGUAGE, LONGHORIZON, TABLETOP, VERBS_SUITE, VQA, Task, make_task
from sim.tasks.asked import Asked
from sim.tasks.long import InSteps
from sim.tasks.refuse import elsewhere_plan, impossible_command
from sim.tasks.scenes import HELD_OUT_THINGS, entities_of, held_by, holder_of, on_table
from sim.tasks.spoken import Spoken, plain_plans
from sim.tasks.vqa import alone_of_their_names
from sim.tasks.which_is_meant import OneOfTwo
from sim.world import World

RENDER_SIZE_PX = 224
COMMANDS_PER_SCENE = 32
"""At most: training draws some of them each time."""
TASKS = (*TABLETOP, "mixed", *VERBS_SUITE, *LANGUAGE, *LONGHORIZON, "just_one", *VQA, *CONVERSATION)
"""Whose scenes, things and words are shown, unless it is said otherwise."""
OFTEN = (
    dict.fromkeys(TABLETOP, 8.0)
    | dict.fromkeys(VERBS_SUITE, 1.5)
    | dict.fromkeys(("put_down", "open_hand", "close_hand", "go_home"), 0.8)
    | dict.fromkeys(("own_words", "chatter", "slips", "colour_words", "by_colour", "remark"), 2.0)
    | dict.fromkeys(("mixed", "question", "impossible"), 3.0)
    | dict.fromkeys(("absent", "correction", "negation"), 5.0)
    | dict.fromkeys(("two_acts", "two_backwards", "three_acts", "if_there"), 3.0)
    | dict.fromkeys(CONVERSATION, 1.5)
    | dict.fromkeys(VQA, 4.0)
    | dict.fromkeys(("ask_count", "ask_count_colour", "ask_nearest", "ask_in", "ask_on"), 6.0)
    | dict.fromkeys(("any_one", "one_of_two", "answered"), 6.0)
    | dict.fromkeys(("exclusion", "which_one", "which_twin", "the_only", "ask_scene"), 10.0)
)
"""How often a family speaks; others once. What takes a look at the whole table is learned last, and said oftener."""
OWN_WEIGHT, TWINS_WEIGHT = 12.0, 2.0
"""How much oftener that family speaks which a scene was made for: it is seldom that something is in a bowl. Of twins it
is spoken a little oftener: they stand in few scenes, and "which one" must not be what is said in doubt."""
IMPOSSIBLE_WEIGHT, ELSEWHERE_WEIGHT = 2.0, 3.0
SCENES = (
    dict.fromkeys(VERBS_SUITE, 0.6)
    | dict.fromkeys(VQA, 1.5)
    | dict.fromkeys(("ask_in", "ask_on"), 5.0)
    | {"mixed": 5.0}
)
"""How often the scene of a family is shown; others once."""
MOMENTS = (
    dict.fromkeys(("two_acts", "two_backwards", "three_acts"), 3.0)
    | dict.fromkeys(("ask_did", "ask_holding", "one_act"), 0.5)
    | {"tower_of": 2.0, "just_one": 2.0, "ask_done": 1.5}
)
"""How often the task of a family is under way; others once. Which act comes after which is learnt last of all."""
OTHER_COLOUR_SHARE = 0.7
"""Of the things that are named and not there. Words of many colours teach to copy a colour rather than
to know by heart which ones go with a verb."""

MOVED_SHARE, TWIN_SHARE, PAINTED_SHARE = 0.15, 0.25, 0.25
"""Of the scenes: with a thing in or on another one, with two things of one name, with colours that have none."""
UNDER_WAY_SHARE = 0.65
"""Of the scenes: in the middle of a long task."""
_REST_STEPS = 120
"""Of 1/240 s, until what was let go lies still."""
_QUIET = frozenset({"remark", "question", "impossible", "negation"})
"""Families after which everything is as it was, besides those of questions."""
_SPOKEN_SHARE = 0.5
"""Of plain commands: by the lines of several hands, and not by the templates of the family."""


@dataclass(kw_only=True)
class GroundingConfig:
    """Render pictures with pointed words for training."""

    out: str = option("data/grounding", "folder to write to")
    scenes: int = option(14000, "number of scenes")
    seed: int = option(0, "scene i is drawn from seed + i; below 1,000,000")
    size_px: int = option(160, "side of the stored pictures")
    workers: int = option(2, "processes that render")
    arm: str = option(DEFAULT_ARM, "arm that is in the pictures, with the state that it has at home")
    appearance: str = option("random", "what they look like, as table:white,noise; random draws it for each scene")
    tasks: list[str] = option(list(TASKS), "tasks whose scenes, things and words are shown; +mine: these and yours")


_Said = tuple[str, Plan, tuple[str, ...]]
"""Words, what is right then, and what there is to be looked for before, each with what is found."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One training scene."""

    picture: NDArray[np.uint8]  # (size_px, size_px, 3)
    objects: list[tuple[int | None, int, float, float, float, float, int | None]]
    """Colour index (None: a colour without a name), kind index, u and v in `picture`, x and y on the table in m, and
    the number of the one that it is in or on."""
    commands: list[tuple[str, str, tuple[str, ...]]]  # words, plan, what there is to be looked for and is found


def render_scene(world: World, seed: int, size_px: int, tasks: Sequence[str] = TASKS, appearance: str = "") -> Scene:
    """The scene of one seed; its kinds are counted as `kinds_of` lists them."""
    rng = np.random.default_rng(seed)
    families = [make_task(name) for name in tasks]
    kinds = kinds_of(families)
    shown = [task for task in families if not isinstance(task, Spoken) or task.has_scenes] or families
    family = shown[drawn([SCENES.get(task.name, 1.0) for task in shown], rng)]
    objects = family.sample(rng).objects
    twins, paint = None, dict[str, tuple[float, float, float]]()
    moment = None
    if (long := [task for task in families if isinstance(task, InSteps)]) and rng.random() < UNDER_WAY_SHARE:
        moment = some_moment(long, MOMENTS, rng)
        objects = moment.seen
    elif "one_of_two" in tasks and rng.random() < TWIN_SHARE:
        task = make_task("one_of_two")
        assert isinstance(task, OneOfTwo)
        if (staged := task.staged(objects, rng)) is not None:
            twins, objects = task, staged
    elif rng.random() < PAINTED_SHARE and len(alone_of_their_names(objects)) == len(objects):
        paint = without_names(objects, rng)
    if moment is None and rng.random() < MOVED_SHARE:  # before: what is said is of where things are
        objects = _after_a_move(objects, rng)
    in_hand = () if moment is None else moment.in_hand(world.model.home_pose[:3, 3])
    world.set_objects((*objects, *in_hand), parse_appearance(appearance, seed))
    for name, rgb in paint.items():
        world.paint(name, rgb)
    if not in_hand:  # nothing would hold it
        objects = _settled(world, objects)  # before anybody speaks: what lay on top may have slid off
        moment = None if moment is None else replace(moment, now=objects)
    holds = moment is not None and moment.held is not None
    spoken = _commands(families, twins or family, objects, list(paint), rng, holds=holds)
    if moment is None:
        commands = list(spoken)
    else:
        commands = [*islice(spoken, COMMANDS_PER_SCENE // 4), *under_way(long, moment, OFTEN, rng)]
    frame = world.render("front", RENDER_SIZE_PX)
    ground = np.array([[o.position_m[0], o.position_m[1], POINTED_HEIGHT_M] for o in objects])
    pixels = (project(frame, ground) + 0.5) * (size_px / RENDER_SIZE_PX)
    return Scene(
        picture=prepare_picture(frame.rgb, size_px),
        objects=[
            (
                *(None if o.name in paint else COLOURS.index(o.colour), kinds.index(o.kind), float(u), float(v)),
                *(round(seen.place_m[0], 4), round(seen.place_m[1], 4), seen.on),
            )
            for o, (u, v), seen in zip(objects, pixels, entities_of(objects), strict=True)
        ],
        commands=[(text, plan.text(), looks) for text, plan, looks in commands],
    )


def _settled(world: World, objects: Sequence[ObjectState]) -> tuple[ObjectState, ...]:
    """The scene at rest, as a hand leaves it: what was let go has come to lie."""
    if all(on_table(o) for o in objects):
        return tuple(objects)
    model = world.model
    still = np.zeros_like(model.home_rad)
    world.step(model.home_rad, still, model.gripper_width_m, _REST_STEPS)
    found = world.objects()
    return tuple(found[o.name] for o in objects)


def kinds_of(families: Sequence[Task]) -> tuple[str, ...]:
    """Every kind of thing that tasks name or show."""
    named = [kind for task in families for kind in (*task.target_kinds, *task.reference_kinds, *task.scene)]
    return tuple(dict.fromkeys(named))


def write(config: GroundingConfig) -> Path:
    """Render `config.scenes` scenes into `config.out`. Raises EmbodiedError for evaluation seeds."""
    if config.scenes < 1:
        raise EmbodiedError(f"scenes must be at least 1, not {config.scenes}")
    if config.seed < 0 or config.seed + config.scenes > EVALUATION_SEED:
        raise EmbodiedError(
            f"training seeds must lie in [0, {EVALUATION_SEED}); got {config.seed} to "
            f"{config.seed + config.scenes}. Choose a smaller seed or fewer scenes."
        )
    parse_appearance(config.appearance, seed=0)
    tasks = _with_more(config.tasks)
    families, model = [make_task(name) for name in tasks], arm_model(config.arm)
    out = Path(config.out)
    shape = (config.scenes, config.size_px, config.size_px, 3)
    _check_room(out, math.prod(shape))
    seeds, taken = range(config.seed, config.seed + config.scenes), set[str]()
    render = partial(
        _render_one,
        arm=config.arm,
        size_px=config.size_px,
        tasks=tasks,
        appearance=config.appearance,
    )
    with (
        progress_bar("rendering", config.scenes) as advance,
        replacing(out / "scenes.jsonl") as told,
        replacing(out / "pictures.npy") as seen,
        told.open("w", encoding="utf-8") as file,
        seen.open("wb") as pictures,  # not mapped: a map of a disk that fills up kills the process
    ):
        np.lib.format.write_array_header_1_0(pictures, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for made in run_in_order(seeds, render, config.workers, chunk=64):
            pictures.write(made.picture.tobytes())
            file.write(json.dumps({"objects": made.objects, "commands": made.commands}) + "\n")
            taken.update(look_of(each).verb for *_, looks in made.commands for each in looks)
            advance(1)
    verbs = {verb for task in families for verb in task.verbs}
    meta = {
        "seed": config.seed,
        "arm": model.name,
        "appearance": config.appearance,
        "state": prepare_state(model.at_home).tolist(),
        "kinds": kinds_of(families),
        "colours": COLOURS,
        "other_colours": OTHER_COLOURS,
        "answers": tuple(ANSWERS),
        "looks": sorted(taken),
        "verbs": sorted(verbs, key=(*TABLETOP_VERBS, *sorted(verbs)).index),
    }
    write_text(out / "meta.json", json.dumps(meta) + "\n")
    return out


def _with_more(tasks: Sequence[str]) -> tuple[str, ...]:
    """The tasks that are named; where each has a "+" before it, all others too. Raises EmbodiedError for a mixture."""
    more = [name.removeprefix("+") for name in tasks if name.startswith("+")]
    if more and len(more) < len(tasks):
        raise EmbodiedError(f"tasks={','.join(tasks)}: write + before all of them, or before none")
    return (*TASKS, *(name for name in more if name not in TASKS)) if more else tuple(tasks)


def _check_room(out: Path, picture_bytes: int) -> None:
    """Raises EmbodiedError where the pictures cannot be written, before hours of work."""
    check_folder(out)
    if (free := shutil.disk_usage(out).free) < picture_bytes:
        needs = f"the pictures take {picture_bytes / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free in {out}"
        raise EmbodiedError(f"{needs}: render fewer scenes, smaller ones, or choose another out=")


@cache
def _world(arm: str) -> World:
    return World(arm_model(arm))


def _render_one(seed: int, arm: str, size_px: int, tasks: tuple[str, ...], appearance: str) -> Scene:
    return render_scene(_world(arm), seed, size_px, tasks, appearance)


def _commands(
    families: Sequence[Task],
    own: Task,
    objects: tuple[ObjectState, ...],
    painted: Sequence[str],
    rng: np.random.Generator,
    *,
    holds: bool = False,
) -> Iterator[_Said]:
    """What families say about a scene; the turn of one that has nothing to say about it is lost.

    Of what is painted nobody speaks, and where something is, nobody speaks of how things stand to each other. Where
    something is held, it is no longer among the objects, and what is to be seen is not asked.
    """
    talk = Talk(rng)
    earlier = list(plain_plans(objects, ("touch",))) if not painted else []
    named = [o for o in objects if o.name not in painted]
    speaking = [task for task in families if not painted or not isinstance(task, Spoken)]
    more = TWINS_WEIGHT if isinstance(own, OneOfTwo) else OWN_WEIGHT
    weights = [OFTEN.get(task.name, 1.0) * (more if task is own else 1.0) for task in speaking]
    for _ in range(COMMANDS_PER_SCENE):
        number = drawn([*weights, IMPOSSIBLE_WEIGHT, ELSEWHERE_WEIGHT], rng)
        if number >= len(speaking):
            elsewhere = number > len(speaking)
            nouns = [Noun(o.colour, o.kind) for o in named]
            said = _absent(families, nouns, rng) if elsewhere else _impossible(families, nouns, rng)
        else:
            said = _said(speaking[number], named, talk)
        if said is None or (holds and said[1].verb == SAY):
            continue
        if earlier and rng.random() < EARLIER_SHARE and not is_joined(said[0]):
            said = joined(_before(earlier, families, named, talk), said[0]), *said[1:]
        yield said


def _before(touches: Sequence[Plan], families: Sequence[Task], named: Sequence[ObjectState], talk: Talk) -> str:
    """What was said before, and left everything where it is: something was touched, or asked, or refused."""
    quiet = [task for task in families if isinstance(task, Asked) or task.name in _QUIET]
    if quiet and talk.rng.random() < 0.5:
        said = _said(quiet[talk.rng.integers(len(quiet))], named, talk)
        if said is not None and not is_joined(said[0]):
            return said[0]
    plan = touches[int(talk.rng.integers(len(touches)))]
    return joined("", talk.act(plan), [Step(text=plan.text())])


def _said(task: Task, objects: Sequence[ObjectState], talk: Talk) -> _Said | None:
    """Something that a family says about a scene; None where there is nothing that it could say."""
    if isinstance(task, Spoken):
        said = task.about(objects, talk)
        if said is None or said.before:
            return None
        twins = len(alone_of_their_names(objects)) < len(objects)
        if said.looks and twins and not (said.plan.refused or said.meant):
            return None  # a look finds twins, and not which of them is meant
        return said.words, said.plan, said.found(objects)
    plans = list(plain_plans(objects, (task.name,)))
    if not plans:
        return None
    # Each verb as often: there are six times as many places beside a thing as on it.
    verbs = list(dict.fromkeys(plan.verb for plan in plans))
    verb = verbs[talk.rng.integers(len(verbs))]
    plans = [plan for plan in plans if plan.verb == verb]
    plan = plans[talk.rng.integers(len(plans))]
    assert HELD_OUT_THINGS.isdisjoint(plan.nouns)
    as_people_do = talk.rng.random() < _SPOKEN_SHARE and talk.can_act(plan)
    return talk.act(plan) if as_people_do else task.say(plan, talk.rng), plan, ()


def _impossible(families: Sequence[Task], nouns: Sequence[Noun], rng: np.random.Generator) -> _Said:
    return impossible_command(nouns, rng, kinds_of(families)), Plan(verb=CANNOT), ()


def _absent(families: Sequence[Task], nouns: Sequence[Noun], rng: np.random.Generator) -> _Said | None:
    """A command that names something which is not there."""
    naming = [task for task in families if task.target_kinds and not isinstance(task, Spoken)]
    if not naming:
        return None
    task = naming[rng.integers(len(naming))]
    colours = OTHER_COLOURS if rng.random() < OTHER_COLOUR_SHARE else COLOURS
    found = elsewhere_plan(task, nouns, colours, rng)
    return None if found is None else (task.say(found[0], rng), Plan(verb=ABSENT, target=found[1]), ())


def _after_a_move(objects: tuple[ObjectState, ...], rng: np.random.Generator) -> tuple[ObjectState, ...]:
    """One thing in a bowl or on a zone, as commands leave it."""
    things = [thing_of(o) for o in objects]
    # What is stacked or in something stays there, and what holds something has no room.
    free = [i for i, o in enumerate(objects) if holder_of(o, objects) is None and not held_by(o, objects)]
    movable = [i for i in free if things[i].grasp is not None]
    holders = [i for i in free if "in" in things[i].holds or things[i].goal]
    if not movable or not holders:
        return objects
    moved, holder = movable[rng.integers(len(movable))], holders[rng.integers(len(holders))]
    if moved == holder or not things[holder].has_room_for(things[moved]):
        return objects
    height = things[moved].origin_m + (0.007 if "in" in things[holder].holds else 0.001)
    position = np.array([*(objects[holder].position_m[:2] + rng.normal(0.0, 0.008, 2)), height])
    return (*objects[:moved], replace(objects[moved], position_m=position), *objects[moved + 1 :])


def main(arguments: Sequence[str]) -> int:
    """Render what `arguments` describe, and say where."""
    print(f"wrote {write(parse(GroundingConfig, arguments, command='embodied collect task=grounding'))}")
    return 0
