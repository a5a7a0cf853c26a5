# SPDX-License-Identifier: Apache-2.0
"""Families of sentences: what people say about a scene, whichever verb they mean, and what is right to do then.

Such a family looks at a scene of another task and says something about it; success is what the sentence means: the
success of the verb that is meant, or that nothing was touched. The same sentences are said in training.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from embodied.errors import EmbodiedError
from embodied.language.dialogue import joined
from embodied.language.looks import result_of
from embodied.language.nouns import Noun
from embodied.language.verbs import NOTHING, Plan
from embodied.motion.skills import SkillCall
from embodied.types import Float, ObjectState, Step
from sim.phrases.talk import Talk
from sim.tasks import MOST, TABLETOP, Episode, SceneState, Task, make_task
from sim.tasks.scenes import HELD_OUT_THINGS, entities_of, pair_is_held_out

SPOKEN_SPLITS = ("seen", "paraphrase")
_TRIES = 1000


@dataclass(frozen=True, kw_only=True)
class Said:
    """What somebody says about a scene, and what is right to do."""

    words: str
    plan: Plan
    meant: tuple[str, ...] = ()
    """Names of the objects that the plan's nouns mean; by default those that are called like the nouns."""
    looks: tuple[Plan, ...] = ()
    """What there is to be looked for before that is clear, one after the other."""
    or_else: tuple[Plan, ...] = ()
    """Plans that are as right: any block will do."""
    steps: tuple[Plan, ...] = ()
    """What it takes, one after the other, where one plan is not all of it; `plan` is the next."""
    earlier: str = ""
    """What was said before, and carried out by the first `before` of the steps."""
    before: int = 0
    parts: tuple[str, ...] = ()
    """The words of each of the steps, where each was asked for in words of its own: a look at these comes last."""
    unnoticed: Plan | None = None
    """What is right where that was not carried out, although the steps say so; None where nobody can tell."""

    def found(self, objects: Sequence[ObjectState], step: int = 0) -> tuple[str, ...]:
        """Each look with what it finds, before a step."""
        seen, part = entities_of(objects), self.parts[step : step + 1]
        return tuple(result_of(look, seen) for look in (*self.looks, *(Plan(verb="now", said=each) for each in part)))

    def earlier_text(self, steps: Sequence[Step]) -> str:
        """What was said before, with the steps that were made for it."""
        return joined("", self.earlier, steps) if self.earlier else ""


class Spoken(Task):
    """A family of sentences: a subclass says `about` a scene."""

    verb = NOTHING
    splits = SPOKEN_SPLITS
    target_kinds = reference_kinds = ()  # it shows and names what its scenes do
    scenes = TABLETOP
    """The tasks whose scenes are spoken about."""
    has_scenes: ClassVar[bool] = False
    """Whether it stages scenes that no other family shows."""

    @property
    def verbs(self) -> tuple[str, ...]:
        """Those that its scenes are made for."""
        return tuple(dict.fromkeys(verb for name in self.scenes for verb in make_task(name).verbs))

    def staged(self, objects: tuple[ObjectState, ...], rng: np.random.Generator) -> tuple[ObjectState, ...] | None:
        """The scene that is spoken about, made from one of `scenes`; None where it cannot be."""
        return objects

    @abstractmethod
    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        """Something to say about a scene; None where there is nothing of this kind to be said."""

    def sample(self, rng: np.random.Generator, split: str = "seen") -> Episode:
        talk = Talk(rng, held_out=split == "paraphrase")
        for _ in range(_TRIES):
            scene = make_task(self.scenes[rng.integers(len(self.scenes))]).sample(rng).objects
            objects = self.staged(scene, rng)
            said = None if objects is None else self.about(objects, talk)
            if objects is not None and said is not None:
                return self._episode(objects, said, split)
        raise EmbodiedError(f"no scene of {', '.join(self.scenes)} lets anybody say something of {self.name!r}")

    def _episode(self, objects: tuple[ObjectState, ...], said: Said, split: str) -> Episode:
        episode = Episode(
            task=self.name,
            split=split,
            objects=objects,
            instruction=said.words,
            plan=said.plan,
            meant=said.meant,
            steps=said.steps,
            earlier=said.earlier,
            steps_before=said.before,
        )
        others = tuple(replace(episode, plan=plan, meant=()) for plan in said.or_else)
        return replace(episode, alternatives=others)

    def swap(self, episode: Episode, rng: np.random.Generator) -> Episode | None:
        said = self.about(episode.objects, Talk(rng))
        if said is None or (said.plan == episode.plan and said.meant in ((), episode.meant)):
            return None
        return self._episode(episode.objects, said, "seen")

    def oracle(self, episode: Episode, state: SceneState) -> SkillCall:
        if episode.plan.refused:
            raise EmbodiedError("what must not be done has no motion; evaluate a policy that reads")
        return make_task(episode.plan.verb).oracle(episode, state)

    def success(self, episode: Episode, state: SceneState) -> bool:
        return any(_is_done(each, state) for each in episode.meanings)

    def score(self, episode: Episode, state: SceneState) -> float:
        """1 on success, 0.5 where nothing was moved, 0 where something was that nobody asked for."""
        if self.success(episode, state):
            return 1.0
        return 0.0 if state.moved(episode) or state.held is not None else 0.5

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        return make_task(episode.plan.verb).goal_m(episode, state)

    def dense_reward(self, episode: Episode, state: SceneState, hand_m: Float) -> float:
        if episode.plan.refused:
            return MOST if self.success(episode, state) else -MOST
        return super().dense_reward(episode, state, hand_m)


def _is_done(episode: Episode, state: SceneState) -> bool:
    """Whether what one plan means was done, and nothing else was moved."""
    if state.astray(episode):
        return False
    return episode.plan.refused or make_task(episode.plan.verb).success(episode, state)


def plain_plans(objects: Sequence[ObjectState], tasks: Sequence[str] = TABLETOP) -> Iterator[Plan]:
    """Every plan of `tasks` that can be carried out here, that training may say, and whose words mean one thing."""
    counts = Counter(Noun(o.colour, o.kind) for o in objects)
    nouns = [noun for noun, count in counts.items() if count == 1 and noun not in HELD_OUT_THINGS]
    for name in tasks:
        task = make_task(name)
        for plan in task.plans_for(nouns):
            if not pair_is_held_out(plan) and task.goal_is_free(plan, tuple(objects)):
                yield plan


def with_other_targets(plan: Plan, objects: Sequence[ObjectState]) -> list[Plan]:
    """What can be done here to other things as `plan` is to its target, and is the same else."""
    return [
        each
        for each in plain_plans(objects, (plan.verb,))
        if each != plan and replace(each, target=plan.target) == plan
    ]


def leftmost_first(plans: Iterable[Plan], objects: Sequence[ObjectState]) -> list[Plan]:
    """Plans that are as right, by where their targets stand: always the same one of them is what is learnt."""
    places = {Noun(o.colour, o.kind): o.position_m[1] for o in objects}
    return sorted(plans, key=lambda each: places[each.nouns[0]])


def like(noun: Noun, plan: Plan, objects: Sequence[ObjectState]) -> list[ObjectState]:
    """Those that may be meant by the kind of `noun` alone, where the plan says what stands in its other places."""
    named = [each for each in plan.nouns if each != noun]
    return [o for o in objects if o.kind == noun.kind and Noun(o.colour, o.kind) not in named]


def some_plan(objects: Sequence[ObjectState], talk: Talk, tasks: Sequence[str] = TABLETOP) -> Plan | None:
    """One of `plain_plans`, each of the tasks as likely; None where there is none."""
    order = [tasks[i] for i in talk.rng.permutation(len(tasks))]
    for name in order:
        plans = list(plain_plans(objects, (name,)))
        if plans:
            return plans[talk.rng.integers(len(plans))]
    return None
