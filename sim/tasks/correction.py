# SPDX-License-Identifier: Apache-2.0
"""correction: somebody says one thing, and then that another one is meant."""

from collections.abc import Sequence
from dataclasses import replace

from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import register
from sim.tasks.spoken import Said, Spoken, plain_plans, some_plan


@register
class Correction(Spoken):
    """What is said last holds."""

    name = "correction"

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        wrong = some_plan(objects, talk)
        if wrong is None or wrong.target is None:
            return None
        if talk.may_say("correct_all") and talk.rng.random() < 0.3:
            plan = some_plan(objects, talk)
            if plan is None or plan == wrong:
                return None
            return Said(words=talk.fill("correct_all", wrong=talk.bare(wrong), act=talk.bare(plan)), plan=plan)
        right = [
            each
            for each in plain_plans(objects, (wrong.verb,))
            if each.target not in (wrong.target, wrong.reference) and replace(each, target=wrong.target) == wrong
        ]
        if not right:
            return None
        plan = right[talk.rng.integers(len(right))]
        assert plan.target is not None
        words = talk.fill("correct_act", act=talk.bare(wrong), x=talk.noun(plan.target))
        return Said(words=words, plan=plan)
