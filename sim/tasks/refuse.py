# SPDX-License-Identifier: Apache-2.0
"""refuse: commands that must be answered and not obeyed: absent things, and what the arm cannot do."""

from collections.abc import Collection, Sequence

import numpy as np

from embodied.environments import SPLITS
from embodied.errors import EmbodiedError
from embodied.language.nouns import Noun
from embodied.language.verbs import ABSENT, CANNOT, Plan
from embodied.language.vocabulary import COLOURS
from embodied.motion.skills import SkillCall
from embodied.types import Float
from sim.phrases import FOLDER, noun_phrase, pick, polite, read
from sim.tasks import MOST, TABLETOP, Episode, SceneState, Task, make_task, register
from sim.tasks.scenes import HELD_OUT_THINGS, pair_is_held_out

IMPOSSIBLE_SHARE = 0.5


@register
class Refuse(Task):
    """Success: nothing was touched. Measured beside the families; a policy that never moves gets 100 %.

    `paraphrase` draws held-out words, `pair` names things that training never showed.
    """

    name = "refuse"
    verb = CANNOT
    splits = SPLITS

    def sample(self, rng: np.random.Generator, split: str = "seen") -> Episode:
        while True:
            family = make_task(TABLETOP[rng.integers(len(TABLETOP))])
            objects = family.sample(rng, "seen").objects
            present = [Noun(o.colour, o.kind) for o in objects]
            if split != "pair" and rng.random() < IMPOSSIBLE_SHARE:
                plan = Plan(verb=CANNOT)
                text = impossible_command(present, rng, held_out=split == "paraphrase")
            elif found := elsewhere_plan(family, present, COLOURS, rng, held_out=split == "pair"):
                said, absent = found
                plan = Plan(verb=ABSENT, target=absent)
                text = family.say(said, rng, held_out=split == "paraphrase")
            else:
                continue
            return Episode(task=self.name, split=split, objects=objects, instruction=text, plan=plan)

    def oracle(self, episode: Episode, state: SceneState) -> SkillCall:
        raise EmbodiedError("a command that must be refused has no motion; evaluate a policy that reads")

    def success(self, episode: Episode, state: SceneState) -> bool:
        return not self.went_wrong(episode, state)

    def score(self, episode: Episode, state: SceneState) -> float:
        return float(self.success(episode, state))

    def dense_reward(self, episode: Episode, state: SceneState, hand_m: Float) -> float:
        return MOST if self.success(episode, state) else -MOST


def elsewhere_plan(
    task: Task, present: Sequence[Noun], colours: Sequence[str], rng: np.random.Generator, *, held_out: bool = False
) -> tuple[Plan, Noun] | None:
    """A plan of `task` in which one thing, of one of `colours`, is not on the table; and that thing.

    With `held_out` the thing is one that training never shows, else never such a one. None where no
    plan can be made.
    """
    missing = [
        Noun(colour, kind)
        for kind in (*task.target_kinds, *task.reference_kinds)
        for colour in colours
        if Noun(colour, kind) not in present and (Noun(colour, kind) in HELD_OUT_THINGS) == held_out
    ]
    if not missing:
        return None
    noun = missing[rng.integers(len(missing))]
    plans = [
        plan
        for plan in task.plans_for([*present, noun])
        if noun in plan.nouns
        and (held_out or not pair_is_held_out(plan))
        and HELD_OUT_THINGS.isdisjoint(set(plan.nouns) - {noun})
    ]
    return (plans[rng.integers(len(plans))], noun) if plans else None


def impossible_command(
    present: Sequence[Noun], rng: np.random.Generator, kinds: Collection[str] = (), *, held_out: bool = False
) -> str:
    """A command that the arm cannot carry out, whatever is on the table; `kinds` are things that it knows.

    With `held_out` it is one that training never says.
    """
    phrases = read(FOLDER / "refuse.yaml")
    if held_out:
        return polite(pick(phrases["held_out_impossible"], rng), rng)
    named = [noun for noun in present if noun not in HELD_OUT_THINGS]
    fixed = [noun for noun in named if noun.thing.grasp is None]
    choice = rng.random()
    if choice < 0.35 or not named:
        return polite(pick(phrases["impossible"], rng), rng)
    a = named[rng.integers(len(named))]
    if choice < 0.55:
        words = {"a": noun_phrase(a, rng), "colour": pick(COLOURS, rng)}
        return polite(pick(phrases["with_thing"], rng).format(**words), rng)
    if choice < 0.75 and fixed:
        a, b = fixed[rng.integers(len(fixed))], named[rng.integers(len(named))]
        words = {"a": noun_phrase(a, rng), "b": noun_phrase(b, rng)}
        return polite(pick(phrases["with_fixed"], rng).format(**words), rng)
    article = pick(("the ", "the ", f"the {pick(COLOURS, rng)} "), rng)
    unknown = article + pick(tuple(word for word in phrases["unknown_things"] if word not in kinds), rng)
    template = pick(phrases["with_unknown"], rng)
    return polite(template.format(u=unknown, a=noun_phrase(a, rng)), rng)
