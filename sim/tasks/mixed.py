# SPDX-License-Identifier: Apache-2.0
"""mixed: the commands of the suite over all kinds of things, in two sizes."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from embodied.environments import SPLITS, check_split
from embodied.errors import EmbodiedError
from embodied.language.nouns import Noun
from embodied.language.verbs import VERBS, Plan
from embodied.things import Thing, thing_of
from embodied.types import Float, ObjectState
from sim.tasks import TABLETOP, Episode, SceneState, Task, make_task, register
from sim.tasks.scenes import HELD_OUT_KINDS, HELD_OUT_THINGS, names_held_out_kind, pair_is_held_out, place_things

SIZES = (1.0, 0.75)
COUNT = (4, 7)
"""The fewest and the most things on the table."""
_TRIES = 1000


@register
class Mixed(Task):
    """Success: that of the family whose verb it is. All verbs come equally often.

    `pair` names a kind of thing that training never shows, and shows one.
    """

    name = "mixed"
    verb = TABLETOP[0]  # the first of its `verbs`
    target_kinds: ClassVar[tuple[str, ...]] = (
        "block", "bowl", "zone", "cylinder", "ball", "cup", "plate", "tray", "bar"
    )  # fmt: skip
    splits = SPLITS

    @property
    def verbs(self) -> tuple[str, ...]:
        return tuple(make_task(name).verb for name in TABLETOP)

    def plans_for(self, nouns: list[Noun]) -> list[Plan]:
        return [plan for verb in self.verbs for plan in VERBS.get(verb).plans(nouns)]

    def sample(self, rng: np.random.Generator, split: str = "seen") -> Episode:
        check_split(split)
        verb = VERBS.get(self.verbs[rng.integers(len(self.verbs))])
        for _ in range(_TRIES):
            objects = self._table(rng, held_out=split == "pair")
            if objects is None:
                continue
            plans = list(verb.plans([Noun(o.colour, o.kind) for o in objects]))
            wanted = names_held_out_kind if split == "pair" else _is_trained
            plans = [plan for plan in plans if wanted(plan) and self.goal_is_free(plan, objects)]
            if plans:
                plan = plans[rng.integers(len(plans))]
                text = self.say(plan, rng, held_out=split == "paraphrase")
                return Episode(task=self.name, split=split, objects=objects, instruction=text, plan=plan)
        raise EmbodiedError(f"no scene of task {self.name!r} allows a command of the verb {verb.name!r}")

    def _table(self, rng: np.random.Generator, *, held_out: bool) -> tuple[ObjectState, ...] | None:
        """Some things, no two of a kind and colour, one of a held-out kind or none; None where they do not fit."""
        nouns = [noun for noun in self.nouns() if noun not in HELD_OUT_THINGS]
        chosen = [nouns[i] for i in rng.permutation(len(nouns))[: rng.integers(COUNT[0], COUNT[1] + 1)]]
        if held_out:
            kinds = sorted(HELD_OUT_KINDS)
            chosen[0] = Noun(self.colours[rng.integers(len(self.colours))], kinds[rng.integers(len(kinds))])
        return place_things(chosen, rng, [SIZES[i] for i in rng.integers(len(SIZES), size=len(chosen))])

    def say(self, plan: Plan, rng: np.random.Generator, *, held_out: bool = False) -> str:
        return _family(plan).phrases.say(plan, rng, held_out=held_out, exact=True)

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        sized = {o.name: thing_of(o) for o in objects}
        things = [sized[str(noun)] for noun in plan.nouns]
        return _can_be_done(plan, things) and _family(plan).goal_is_free(plan, objects)

    def success(self, episode: Episode, state: SceneState) -> bool:
        return _family(episode.plan).success(episode, state)

    def score(self, episode: Episode, state: SceneState) -> float:
        return _family(episode.plan).score(episode, state)

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        return _family(episode.plan).goal_m(episode, state)


def _family(plan: Plan) -> Task:
    """The family of the suite whose verb it is."""
    return next(task for task in map(make_task, TABLETOP) if task.verb == plan.verb)


def _is_trained(plan: Plan) -> bool:
    return not pair_is_held_out(plan)


def _can_be_done(plan: Plan, things: Sequence[Thing]) -> bool:
    """Whether the things of a plan have the sizes for it: a plan knows their kinds alone."""
    if len(things) == 2 and not VERBS.get(plan.verb).suits(things[0], things[1]):
        return False
    if plan.verb == "touch":  # the hand stops where the top of the usual size is
        target = things[0]
        return target.flat or target.touch_height_m == plan.nouns[0].thing.touch_height_m
    return True
