# SPDX-License-Identifier: Apache-2.0
"""Questions: one sentence about a scene, and the one answer that is right.

A family says `asked` about a scene. Where two answers might be right nothing is asked. Success is the answer, word for
word, and nothing that was touched for it.
"""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from embodied.language.verbs import SAY, Noun, Plan, listed, with_article
from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import Episode, SceneState
from sim.tasks.scenes import HELD_OUT_THINGS
from sim.tasks.spoken import Said, Spoken

QuestionAndAnswer = tuple[str, str]
NOTHING = "nothing"
YES, NO = "yes", "no"


class Asked(Spoken):
    """A family of questions about what is to be seen."""

    @abstractmethod
    def asked(self, objects: Sequence[ObjectState], talk: Talk) -> QuestionAndAnswer | None:
        """A question and its answer; None where there is nothing of this kind to be asked."""

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        if any(Noun(o.colour, o.kind) in HELD_OUT_THINGS for o in objects):
            return None
        found = self.asked(objects, talk)
        return None if found is None else Said(words=found[0], plan=saying(found[1]))

    def answer(self, episode: Episode, state: SceneState) -> str | None:
        return episode.plan.said

    def swap(self, episode: Episode, rng: np.random.Generator) -> Episode | None:
        return None  # the words of another question do not make this one's answer wrong


def saying(answer: str) -> Plan:
    """The plan that answers."""
    return Plan(verb=SAY, said=answer)


def one(thing: ObjectState | Noun) -> str:
    """A thing as it is named for the first time: "a red block"."""
    return with_article(f"{thing.colour} {thing.kind}")


def several(things: Sequence[ObjectState]) -> str:
    """Things as they are named for the first time: "a red block and a blue bowl"; leftmost first."""
    names = [one(o) for o in sorted(things, key=lambda o: o.position_m[1])]
    return listed(names) if names else NOTHING
