# SPDX-License-Identifier: Apache-2.0
"""Questions: one sentence about a scene, and the one answer that is right.

A family says `asked` about a scene. Where two answers might be right nothing is asked. Success is the answer, word for
word, and nothing that was touched for it.
"""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from embodied.language import seen
from embodied.language.looks import ANY, THING
from embodied.language.nouns import Noun, with_article
from embodied.language.verbs import SAY, Plan
from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import Episode, SceneState
from sim.tasks.scenes import HELD_OUT_THINGS, entities_of
from sim.tasks.spoken import Said, Spoken

QuestionAndAnswer = tuple[str, Plan, str]
"""A question, the look that leads to its answer, and that."""
YES, NO = "yes", "no"


class Asked(Spoken):
    """A family of questions about what is to be seen."""

    @abstractmethod
    def asked(self, objects: Sequence[ObjectState], talk: Talk) -> QuestionAndAnswer | None:
        """A question with its answer; None where there is nothing of this kind to be asked."""

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        if any(Noun(o.colour, o.kind) in HELD_OUT_THINGS for o in objects):
            return None
        found = self.asked(objects, talk)
        if found is None:
            return None
        words, look, answer = found
        return Said(words=words, plan=saying(answer), looks=(look,))

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
    return seen.several(entities_of(things))


def look_for(colour: str = ANY, kind: str = THING) -> Plan:
    """The look for all of a colour, of a kind, or of both."""
    return Plan(verb="look_for", target=Noun(colour, kind))
