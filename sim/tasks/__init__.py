# SPDX-License-Identifier: Apache-2.0
"""Tasks, one file a family: a verb, a scene, words, a success predicate, a partial score and an oracle.

`sim.phrases` holds how people say it. To add one, write a file here with a class like those beside it; nothing else
changes. Outside of this folder, decorate the class with `register`, or name it in an entry point of `embodied.tasks`.

Splits: `seen`, `paraphrase` (held-out templates and nouns) and `pair` (held-out attribute pairs: things
that training never shows, or two colours that training never names together).
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np

from embodied.environments import APPEARANCES, MAX_STEPS, SPLITS, TASK_SPLITS, check_split, environment_id, learning_id
from embodied.errors import EmbodiedError
from embodied.language.nouns import Noun
from embodied.language.verbs import NOUN_SLOTS, VERBS, Plan
from embodied.language.vocabulary import COLOURS
from embodied.motion.skills import SkillCall
from embodied.registry import Registry, instance_of
from embodied.types import Float, ObjectState
from sim import phrases
from sim.appearance import parse_appearance
from sim.phrases import Phrases, Words
from sim.tasks.scenes import distance_xy, grounded, pair_is_held_out, place_things, with_distractors

TABLETOP = ("touch", "pick_up", "put_in_bowl", "stack", "place_relative", "push_to")
"""The suite: the families that are trained and measured."""
VERBS_SUITE = (
    *("move_by", "turn_by", "place_between", "put_at", "take_out", "unstack", "swap", "line_up", "sweep_aside"),
    *("hold_out", "put_down", "open_hand", "close_hand", "go_home"),
)
"""The families of the other verbs."""
LANGUAGE = (
    *("own_words", "chatter", "slips", "colour_words", "which_one", "by_colour", "any_one", "the_only", "one_of_two"),
    *("exclusion", "correction", "negation", "question", "remark", "impossible", "absent", "other_language"),
    *("answered", "which_twin"),
)
"""The families of sentences: one act in all the ways in which people say it, or do not say it."""
LONGHORIZON = (
    *("one_act", "two_acts", "two_backwards", "three_acts", "all_touch", "all_in", "some_in", "tower_all"),
    *("tower_of", "sort_bowls", "sort_zones", "if_there"),
)
"""The families that take several steps, or one and the word that it is done, or a look at what there is."""

VQA = (
    *("ask_there", "ask_any", "ask_count", "ask_count_colour", "ask_colour", "ask_where", "ask_in", "ask_on"),
    *("ask_nearest", "ask_scene", "ask_holding", "ask_did", "ask_done"),
)
"""Questions with one right answer."""
CONVERSATION = ("instead", "the_other", "too", "again", "now_into", "take_back")
"""What follows on a command that was carried out."""

MOST = 10.0
"""The most that a dense reward is, either way: one of 1 is drowned for long in the entropy that SAC is paid for."""
NEAR_M = 0.2
"""A way of this length costs half of what an endless one does in a dense reward."""
STILL_M = 0.02
"""What was moved over the table by less has not been moved."""
_TRIES = 1000
LEARNING_STEPS = 100
"""Of an episode of an environment to learn in: 10 s."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One sampled problem: a scene, the words of the command, and what they mean."""

    task: str
    split: str
    objects: tuple[ObjectState, ...]
    instruction: str
    plan: Plan
    meant: tuple[str, ...] = ()
    """Names of the objects that the plan's nouns mean; by default those that are called like the nouns."""
    before: SkillCall | None = None
    """What the arm has done before the words are said: it holds something, or stands elsewhere than at home."""
    alternatives: "tuple[Episode, ...]" = ()
    """The same with other plans that the words may mean as well: any block will do."""
    steps: tuple[Plan, ...] = ()
    """What a long task takes, one after the other; `plan` is the first of those that the words ask for."""
    earlier: str = ""  # what is said before, and is carried out by the first `steps_before` of the steps
    steps_before: int = 0

    def __post_init__(self) -> None:
        names = tuple(str(noun) for noun in self.plan.nouns)
        meant = self.meant or names
        # An object is called by its noun, with a number where there are several of a kind and colour.
        if len(meant) != len(names) or not all(map(str.startswith, meant, names)):
            raise ValueError(f"{self.plan.text()!r} cannot mean {', '.join(meant)}")
        object.__setattr__(self, "meant", meant)

    def name_of(self, role: str) -> str:
        """The name of the object that the command means by one of NOUN_SLOTS, such as "target"."""
        return self.meant[NOUN_SLOTS.index(role)]

    @property
    def meanings(self) -> "tuple[Episode, ...]":
        """The episode under each plan that its words may mean; itself first."""
        return (self, *self.alternatives)

    @property
    def in_hand(self) -> frozenset[str]:
        """Name of the object that the arm has taken before the words are said; empty where it has taken none."""
        taken_m = None if self.before is None else self.before.grasp_m
        if taken_m is None:
            return frozenset()
        return frozenset({min(self.objects, key=lambda o: distance_xy(o.position_m, taken_m)).name})


@dataclass(frozen=True, kw_only=True)
class SceneState:
    """Privileged state of the table."""

    objects: Mapping[str, ObjectState]
    held: str | None  # name of the object between closed fingers, clear of the table
    touched: frozenset[str]
    """Objects that the hand touched since the episode began: contact with the hand or the fingers,
    or the tool centre point inside the footprint of a flat thing below z = 0.03."""
    gripper_width_m: float = 0.08
    at_home: bool = True

    def of(self, episode: Episode, role: str) -> ObjectState:
        """The object that the command means by one of NOUN_SLOTS, such as "target"."""
        return self.objects[episode.name_of(role)]

    def places_m(self, episode: Episode) -> list[Float]:
        """Where each object that the command means is, (3,) each."""
        return [self.objects[name].position_m for name in episode.meant]

    def moved(self, episode: Episode) -> set[str]:
        """Names of the objects that are more than STILL_M over the table from where they began."""
        return {o.name for o in episode.objects if distance_xy(o.position_m, self.objects[o.name].position_m) > STILL_M}

    def astray(self, episode: Episode) -> set[str]:
        """Names of the objects that were moved or are held, and should not be by the one plan of `episode`.

        The plan lets go wherever it likes what it means, and what was in the hand before the words. A plan that is an
        answer lets nothing be touched.
        """
        disturbed = self.moved(episode) | ({self.held} if self.held is not None else set())
        if episode.plan.refused:
            return disturbed | self.touched
        return disturbed - {*episode.meant, *episode.in_hand}


class Task(ABC):
    """A family of commands: a subclass names its verb and its things, and says what success is.

    Kinds and colours are listed, and never all that are registered: a new thing changes no old scene.
    """

    name: ClassVar[str]
    verb: ClassVar[str]
    target_kinds: ClassVar[tuple[str, ...]] = ("block",)
    reference_kinds: ClassVar[tuple[str, ...]] = ()
    scene: ClassVar[Mapping[str, tuple[int, int]]] = {"block": (2, 4), "bowl": (1, 2), "zone": (0, 2)}
    """The fewest and the most things of each kind on the table."""
    colours: ClassVar[tuple[str, ...]] = COLOURS
    ordered: ClassVar[bool] = True
    """Whether it matters in which order the things are named."""

    templates: ClassVar[tuple[str, ...]] = ()
    """Sentences as in `sim.phrases`; without any they are read from `phrases_file`."""
    words: ClassVar[Words] = {}
    held_out_templates: ClassVar[tuple[str, ...]] = ()
    phrases_file: ClassVar[Path | None] = None
    """YAML; by default the file of `sim/phrases` that is called like the task."""

    @property
    def verbs(self) -> tuple[str, ...]:
        """What its commands may ask for."""
        return (self.verb,)

    @cached_property
    def phrases(self) -> Phrases:
        """How people ask for it. Raises EmbodiedError where nobody has said so."""
        if self.templates:
            return Phrases(templates=self.templates, words=self.words, held_out_templates=self.held_out_templates)
        file = self.phrases_file or phrases.FOLDER / f"{self.name}.yaml"
        if not file.is_file():
            raise EmbodiedError(
                f"task {self.name!r} has no words: give its class `templates = (...)` with sentences such as "
                f"'put {{a}} in {{b}}', or write them into {file}"
            )
        return Phrases.read(file)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that it has episodes of."""
        has = {"seen": bool(self._plans[False]), "pair": bool(self._plans[True])}
        has["paraphrase"] = has["seen"] and bool(self.phrases.held_out_templates)
        return tuple(split for split in SPLITS if has[split])

    def nouns(self) -> list[Noun]:
        """Everything that its commands may name."""
        kinds = dict.fromkeys((*self.target_kinds, *self.reference_kinds))
        return [Noun(colour, kind) for kind in kinds for colour in self.colours]

    def plans_for(self, nouns: list[Noun]) -> list[Plan]:
        """Every plan of the family over `nouns`."""
        return [
            plan
            for plan in VERBS.get(self.verb).plans(nouns)
            if (plan.target is None or plan.target.kind in self.target_kinds)
            and all(noun is None or noun.kind in self.reference_kinds for noun in (plan.reference, plan.other))
        ]

    @cached_property
    def _plans(self) -> Mapping[bool, list[Plan]]:
        """Every plan of the family: those that training names, and those that are held out."""
        plans = self.plans_for(self.nouns())
        return {held_out: [p for p in plans if pair_is_held_out(p) == held_out] for held_out in (False, True)}

    def sample(self, rng: np.random.Generator, split: str = "seen") -> Episode:
        """A random episode of `split`. Raises UnknownNameError, or EmbodiedError for one that it has not."""
        check_split(split)
        for _ in range(_TRIES):
            plan = self.sample_plan(rng, split)
            objects = self.sample_scene(plan, rng)
            if objects is not None:
                text = self.say(plan, rng, held_out=split == "paraphrase")
                before = self.before(objects, rng)
                return Episode(task=self.name, split=split, objects=objects, instruction=text, plan=plan, before=before)
        raise EmbodiedError(f"the things of task {self.name!r} do not fit on the table; let there be fewer")

    def sample_plan(self, rng: np.random.Generator, split: str) -> Plan:
        """A plan of the family whose attribute pair belongs to `split`."""
        plans = self._plans[split == "pair"]
        if not plans:
            raise EmbodiedError(f"task {self.name!r} names nothing that the split {split!r} may name")
        return plans[rng.integers(len(plans))]

    def sample_scene(self, plan: Plan, rng: np.random.Generator) -> tuple[ObjectState, ...] | None:
        """Objects for `plan`, apart from each other; None if they do not fit."""
        nouns = with_distractors(plan, self.scene, self.colours, rng)
        objects = None if nouns is None else place_things(nouns, rng)
        objects = None if objects is None else self.arranged(plan, objects, rng)
        return None if objects is None or not self.goal_is_free(plan, objects) else objects

    def arranged(
        self, plan: Plan, objects: tuple[ObjectState, ...], rng: np.random.Generator
    ) -> tuple[ObjectState, ...]:
        """The scene of objects that were placed apart; a family may move them before the goal is looked at."""
        return objects

    def before(self, objects: tuple[ObjectState, ...], rng: np.random.Generator) -> SkillCall | None:
        """What the arm has done before the words are said; nothing, unless a family says so."""
        return None

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        """Whether nothing stands in the way of `plan`, and it asks for something that is not so already."""
        return True

    def sample_swapped(self, rng: np.random.Generator) -> tuple[Episode, Episode]:
        """An episode, and the same scene under another command of the family (the `swapped` control)."""
        for _ in range(_TRIES):
            episode = self.sample(rng)
            swapped = self.swap(episode, rng)
            if swapped is not None:
                return episode, swapped
        raise EmbodiedError(f"no scene of task {self.name!r} allows a second command")

    def swap(self, episode: Episode, rng: np.random.Generator) -> Episode | None:
        """Another command of the family for the same scene, with another target where there is one.

        None where the scene allows no other command.
        """
        counts = Counter(Noun(o.colour, o.kind) for o in episode.objects)
        # Words alone do not tell two things of one name apart.
        plans = self.plans_for([noun for noun, count in counts.items() if count == 1])
        others = [p for p in plans if self._differ(p, episode.plan) and self.goal_is_free(p, episode.objects)]
        fresh = [p for p in others if p.target != episode.plan.target] or others
        if not fresh:
            return None
        plan = fresh[rng.integers(len(fresh))]
        return replace(episode, plan=plan, meant=(), instruction=self.say(plan, rng))

    def _differ(self, a: Plan, b: Plan) -> bool:
        return a != b if self.ordered else set(a.nouns) != set(b.nouns)

    def say(self, plan: Plan, rng: np.random.Generator, *, held_out: bool = False) -> str:
        """The words of `plan`, by a training template or a held-out one."""
        return self.phrases.say(plan, rng, held_out=held_out)

    def oracle(self, episode: Episode, state: SceneState) -> SkillCall:
        """The motion that solves the episode from `state`."""
        return grounded(episode.plan, state.objects.values(), episode.meant)

    def steps_left(self, episode: Episode, state: SceneState) -> int:
        """How many motions it takes from `state`, the oracle's included."""
        return 1

    @abstractmethod
    def success(self, episode: Episode, state: SceneState) -> bool:
        """Whether the command is fulfilled."""

    def went_wrong(self, episode: Episode, state: SceneState) -> bool:
        """Whether something was moved, or is held, that the words do not ask for, whatever they mean.

        Where it is right not to move, to touch something is enough. What fails without harm has not gone wrong.
        """
        return all(state.astray(each) for each in episode.meanings)

    def answer(self, episode: Episode, state: SceneState) -> str | None:
        """What has to be said for success, in words; None where words alone do not count."""
        return None

    def score(self, episode: Episode, state: SceneState) -> float:
        """Partial credit in [0, 1]: how much of the way to its goal the target has gone."""
        if self.success(episode, state):
            return 1.0
        if not episode.meant:
            return 0.0
        goal = self.goal_m(episode, state)
        before = float(np.linalg.norm(start_of(episode).position_m - goal))
        now = float(np.linalg.norm(state.of(episode, "target").position_m - goal))
        return 0.9 * float(np.clip(1.0 - now / max(before, 1e-6), 0.0, 1.0))

    def planned(self, episode: Episode) -> SkillCall:
        """The motion that solves the episode from its beginning."""
        return grounded(episode.plan, episode.objects, episode.meant)

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        """(3,) where the target's centre should end."""
        goal: Float = self.oracle(episode, state).points_m[-1]
        return goal

    def dense_reward(self, episode: Episode, state: SceneState, hand_m: Float) -> float:
        """MOST on success, and from -MOST to 0 before it: the longer it takes, the less comes together.

        Two ways count by half each: that from the tool centre point, at `hand_m` (3,), to the target, and
        that from the target to its goal. A way of d metres costs the share d / (d + NEAR_M). A family that is
        better learnt in another way says so here, in its own file.
        """
        if self.success(episode, state):
            return MOST
        if not episode.meant:
            return -MOST
        target = state.of(episode, "target").position_m
        ways_m = [np.linalg.norm(hand_m - target), np.linalg.norm(target - self.goal_m(episode, state))]
        return -0.5 * MOST * float(sum(way_m / (way_m + NEAR_M) for way_m in ways_m))


def start_of(episode: Episode) -> ObjectState:
    """The target as it stood when the episode began."""
    return next(o for o in episode.objects if o.name == episode.name_of("target"))


def _as_task(label: str, found: Any) -> Task:
    """The task of a class or an object that a registration leads to, known by its own name from now on."""
    kind = found if isinstance(found, type) else type(found)
    if not issubclass(kind, Task):
        raise EmbodiedError(f"task {label!r} is {kind.__name__}, which is not made from sim.tasks.Task")
    lacks = [name for name in ("name", "verb") if not isinstance(getattr(kind, name, None), str)]
    lacks += sorted(getattr(kind, "__abstractmethods__", ()))
    if lacks:
        raise EmbodiedError(f"task {label!r} lacks {', '.join(lacks)}: see sim/tasks/touch.py for an example")
    if not kind.name.isidentifier():
        raise EmbodiedError(f"task {kind.name!r} must be called by a name such as put_in_bowl")
    return instance_of(Task)(label, found)


TASKS: Registry[Task] = Registry("task", group="embodied.tasks", package="sim.tasks", build=_as_task)
"""Tasks by name."""


def register(task: type[Task]) -> type[Task]:
    """Class decorator: make a task known by its name, and with it its environments."""
    made = _as_task(getattr(task, "name", task.__name__), task)
    TASKS.register(made.name, made)
    register_environment(made.name)
    return task


def register_environment(name: str) -> None:
    """Make the gymnasium environments of a task known: Embodied/<Task>-v0, and Embodied/<Task>RL-v0 for those
    who learn it without words. Does not load the task.
    """
    TASK_SPLITS[name] = lambda: TASKS.get(name).splits
    APPEARANCES[name] = lambda text: parse_appearance(text, seed=0)
    if environment_id(name) not in gymnasium.registry:
        for environment, entry_point, steps in (
            (environment_id(name), "sim.env:TabletopEnv", MAX_STEPS["ee_delta"]),
            (learning_id(name), "sim.learning:LearningEnv", LEARNING_STEPS),
        ):
            gymnasium.register(environment, entry_point, max_episode_steps=steps, kwargs={"task": name})


def make_task(name: str) -> Task:
    """The task called `name`. Raises UnknownNameError that lists the valid names."""
    return TASKS.get(name)
