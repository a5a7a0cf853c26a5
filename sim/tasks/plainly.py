# SPDX-License-Identifier: Apache-2.0
"""Commands that say all: by the lines of several hands, with slips, in chatter, by other words for colours."""

from abc import abstractmethod
from collections.abc import Sequence

from embodied.language.verbs import Plan
from embodied.types import ObjectState
from sim.phrases import spoken
from sim.phrases.slips import slip
from sim.phrases.talk import Talk
from sim.tasks import register
from sim.tasks.spoken import Said, Spoken, some_plan


class Plainly(Spoken):
    """A subclass says the plan in its way."""

    @abstractmethod
    def said(self, plan: Plan, talk: Talk) -> str:
        """The words."""

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        plan = some_plan(objects, talk)
        return None if plan is None else Said(words=self.said(plan, talk), plan=plan)


@register
class OwnWords(Plainly):
    """By the lines that several have written, each alone."""

    name = "own_words"

    def said(self, plan: Plan, talk: Talk) -> str:
        return talk.act(plan)


@register
class Slips(Plainly):
    """Mistyped, without articles, with hesitation, in any letter case."""

    name = "slips"

    def said(self, plan: Plan, talk: Talk) -> str:
        return slip(talk.act(plan) if talk.rng.random() < 0.5 else talk.bare(plan), talk.rng)


@register
class Chatter(Plainly):
    """Wrapped in politeness, reasons and talk."""

    name = "chatter"

    def said(self, plan: Plan, talk: Talk) -> str:
        return talk.fill("polite", act=talk.bare(plan))


@register
class ColourWords(Plainly):
    """Crimson, navy, off-white: words of every day that clearly mean a colour."""

    name = "colour_words"

    def said(self, plan: Plan, talk: Talk) -> str:
        called = {}
        for slot, noun in (("target", plan.target), ("reference", plan.reference)):
            if noun is not None:
                words = spoken.words("colours", noun.colour, held_out=talk.held_out)
                colour = words[talk.rng.integers(len(words))]
                called[slot] = talk.fill("np_coloured", colour=colour, kind=talk.kind(noun.kind))
        return talk.act(plan, called)
