# SPDX-License-Identifier: Apache-2.0
"""correction: somebody says one thing, and then that another one is meant."""

from collections.abc import Sequence

from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import register
from sim.tasks.spoken import Said, Spoken, some_plan, with_other_targets


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
        right = with_other_targets(wrong, objects)
        if not right:
            return None
        plan = right[talk.rng.integers(len(right))]
        assert plan.target is not None
        words = talk.fill("correct_act", act=talk.bare(wrong), x=talk.noun(plan.target))
        return Said(words=words, plan=plan)
