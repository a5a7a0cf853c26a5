# SPDX-License-Identifier: Apache-2.0
"""Moments in the middle of long tasks and of conversations, for training: what was said and done, what is to be seen
now, and what is right next. On the oracle's way, and off it: a step failed, or came to nothing and nobody noticed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embodied.language.dialogue import joined
from embodied.language.nouns import Noun
from embodied.language.verbs import DONE, Plan
from embodied.types import Float, ObjectState, Step
from sim.phrases.talk import Talk
from sim.tasks.long import InSteps, foreseen
from sim.tasks.spoken import some_plan

FAILED_SHARE, SLIPPED_SHARE, DOUBTED_SHARE = 0.1, 0.15, 0.5
"""Of what is said under way: that the next step failed before. Of scenes after a step that can be seen: it came to
nothing, and nobody noticed; and of those where somebody asks whether it did."""
EARLIER_SHARE = 0.15
"""Of what is said: it is a new command, or a question, after another one."""
_UNSEEN = frozenset({"touch", "put_down", "move_by"})
"""Verbs of which nobody sees afterwards whether they were carried out."""
_OWN_SHARE = 0.7
"""Of what is said: by the family whose task it is."""
_SAYINGS = 40
"""How often somebody tries to say what fits the steps that were made: most families cannot have asked for them."""


@dataclass(frozen=True)
class Moment:
    """A task under way."""

    family: InSteps  # whose task it is
    before: tuple[ObjectState, ...]  # as it began
    made: tuple[Plan, ...]  # the steps that were made
    now: tuple[ObjectState, ...]  # after them
    slipped: bool = False  # the last step came to nothing

    @property
    def left_from(self) -> int:
        """The number of the step that is next."""
        return len(self.made) - self.slipped

    @property
    def held(self) -> Noun | None:
        """What is in the hand."""
        last = self.made[-1] if self.made and not self.slipped else None
        return last.target if last is not None and last.verb == "pick_up" else None

    @property
    def seen(self) -> tuple[ObjectState, ...]:
        """What stands on the table."""
        return tuple(o for o in self.now if Noun(o.colour, o.kind) != self.held)

    def in_hand(self, hand_m: Float) -> tuple[ObjectState, ...]:
        """What is in the hand, at its place (3,)."""
        return tuple(replace(o, position_m=hand_m) for o in self.now if Noun(o.colour, o.kind) == self.held)


def some_moment(families: Sequence[InSteps], often: Mapping[str, float], rng: np.random.Generator) -> Moment:
    """A task of some family, after some or all of its steps. `often` says how often its task is under way; others
    once."""
    family = families[drawn([often.get(task.name, 1.0) for task in families], rng)]
    episode = family.sample(rng)
    made = episode.steps[: rng.integers(len(episode.steps) + 1)]
    seen = bool(made) and made[-1].verb not in _UNSEEN
    slipped = seen and rng.random() < (DOUBTED_SHARE if family.doubts else SLIPPED_SHARE)
    now = episode.objects
    for plan in made[: len(made) - slipped]:
        now = foreseen(now, plan)
    return Moment(family, episode.objects, made, now, slipped)


def under_way(
    families: Sequence[InSteps], moment: Moment, often: Mapping[str, float], rng: np.random.Generator
) -> Iterator[tuple[str, Plan, tuple[str, ...]]]:
    """What may have been said before the steps of a moment, with these; the step that is next, or that it is done; and
    what there is to be looked for before, with what is found of what is there now.

    Sometimes the next step has failed before. `often` says how often a family speaks; others once.
    """
    talk, weights = Talk(rng), [often.get(task.name, 1.0) for task in families]
    done = [Step(text=plan.text()) for plan in moment.made]
    for _ in range(_SAYINGS):
        family = moment.family if rng.random() < _OWN_SHARE else families[drawn(weights, rng)]
        said = family.under_way(moment.before, moment.made, talk)
        if said is None or said.before > len(moment.made):
            continue
        earlier, steps = said.earlier_text(done[: said.before]), done[said.before :]
        text = joined(earlier, said.words, steps)
        left, follows = said.steps[moment.left_from :], not moment.slipped and rng.random() < EARLIER_SHARE
        looks = said.found(moment.seen, moment.left_from)
        if moment.slipped and moment.left_from < said.before:
            if said.unnoticed is not None:
                yield text, said.unnoticed, looks
        elif said.plan.refused:
            yield text, said.plan, looks
        elif follows and moment.made and (new := _new(moment, talk)) is not None:
            yield joined(joined("", said.words, steps), new[0]), new[1], ()
        else:
            if left and rng.random() < FAILED_SHARE:
                text = joined(earlier, said.words, [*steps, Step(text=left[0].text(), failed=True)])
            yield text, left[0] if left else Plan(verb=DONE), looks


def _new(moment: Moment, talk: Talk) -> tuple[str, Plan] | None:
    """A command of its own, about what is seen."""
    if len({Noun(o.colour, o.kind) for o in moment.seen}) < len(moment.seen):
        return None
    plan = some_plan(moment.seen, talk)
    return None if plan is None else (talk.act(plan), plan)


def drawn(weights: Sequence[float], rng: np.random.Generator) -> int:
    """A number, each as likely as its weight says."""
    return int(rng.choice(len(weights), p=np.divide(weights, sum(weights))))
