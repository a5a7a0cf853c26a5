# SPDX-License-Identifier: Apache-2.0
"""exclusion: this and not that, any but that one, one that is not of this colour."""

from collections.abc import Sequence

from embodied.language.nouns import Noun
from embodied.language.verbs import Plan
from embodied.types import ObjectState
from sim.phrases.talk import Talk, plural
from sim.tasks import register
from sim.tasks.asked import look_for
from sim.tasks.spoken import Said, Spoken, leftmost_first, some_plan, with_other_targets


@register
class Exclusion(Spoken):
    """Something is named that is not meant."""

    name = "exclusion"

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        plan = some_plan(objects, talk)
        if plan is None or plan.target is None:
            return None
        others = with_other_targets(plan, objects)
        if not others:
            return None
        excluded = others[talk.rng.integers(len(others))].target
        assert excluded is not None
        if talk.rng.random() < 0.5:
            words = talk.fill("this_not_that", act=talk.bare(plan), x=talk.noun(excluded))
            return Said(words=words, plan=plan)
        return _any_but(plan, excluded, [each for each in others if each.target != excluded], objects, talk)


def _any_but(
    plan: Plan, excluded: Noun, others: Sequence[Plan], objects: Sequence[ObjectState], talk: Talk
) -> Said | None:
    """Any of the target's kind, of which `excluded` is one; `others` are plans with yet other targets."""
    assert plan.target is not None
    if excluded.kind != plan.target.kind:
        return None
    kind = talk.kind(plan.target.kind)
    same = [each for each in others if each.target is not None and each.target.kind == plan.target.kind]
    key = "np_any_but" if talk.rng.random() < 0.5 else "np_not_colour"
    named = {"kind": kind, "kinds": plural(kind), "x": talk.noun(excluded), "colour": excluded.colour}
    called = talk.line(key, definite=not same).format(**named)
    right = leftmost_first([plan, *same], objects)
    words, look = talk.act(plan, {"target": called}), look_for(kind=excluded.kind)
    return Said(words=words, plan=right[0], or_else=tuple(right[1:]), looks=(look,))
