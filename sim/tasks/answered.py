# SPDX-License-Identifier: Apache-2.0
"""answered: a command that leads to the question which one is meant, and what is said next."""

from collections.abc import Sequence
from dataclasses import replace

from embodied.language.dialogue import joined
from embodied.language.verbs import NOUN_SLOTS, Noun
from embodied.types import ObjectState
from sim.phrases import pick
from sim.phrases.talk import Talk
from sim.tasks import make_task, register
from sim.tasks.spoken import Said, Spoken, like, some_plan
from sim.tasks.which_one import ways_to_call

_NEW_SHARE, _ELSE_SHARE = 0.2, 0.2
"""Of cases where somebody does not answer and says a new command, or something of one of the families ELSE."""
ELSE = ("negation", "remark", "question", "absent", "the_only")
_COLOUR_SHARE = 0.5
"""Of answers that say the colour: the question names the colours that there are."""
_BARE_SHARE = 0.2
"""Of these, such as are a colour and nothing else."""
OF_TWO = {
    "np_leftmost": "answer_left",
    "np_rightmost": "answer_right",
    "np_nearest": "answer_nearer",
    "np_farthest": "answer_farther",
}
"""How the outermost one is called where there are only two."""


@register
class Answered(Spoken):
    """ "Touch the block", and then "the blue one".

    The things have different colours: what is meant has to be a plan, and plans name things by colour and kind.
    """

    name = "answered"

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        plan = some_plan(objects, talk)
        if plan is None:
            return None
        nouns = {slot: noun for slot in NOUN_SLOTS if (noun := getattr(plan, slot)) is not None}
        several = [slot for slot, noun in nouns.items() if len(like(noun, plan, objects)) > 1]
        if not several:
            return None
        slot = several[talk.rng.integers(len(several))]
        command = talk.act(plan, {slot: f"the {talk.kind(nouns[slot].kind)}"})
        share = talk.rng.random()
        if share >= _NEW_SHARE + _ELSE_SHARE:
            return Said(words=joined(command, _answer(nouns[slot], objects, talk)), plan=plan)
        if share >= _ELSE_SHARE:
            new = some_plan(objects, talk)
            return None if new is None else Said(words=joined(command, talk.act(new)), plan=new)
        task = make_task(ELSE[talk.rng.integers(len(ELSE))])
        assert isinstance(task, Spoken)
        said = task.about(objects, talk)
        return None if said is None else replace(said, words=joined(command, said.words))


def _answer(noun: Noun, objects: Sequence[ObjectState], talk: Talk) -> str:
    """Which of its kind is meant, by its colour or by its place."""
    kind = pick(("one", talk.kind(noun.kind)), talk.rng)
    meant = next(o for o in objects if (o.colour, o.kind) == (noun.colour, noun.kind))
    ways = [way for way in ways_to_call(meant, objects) if talk.may_say(way[0])]
    if not ways or talk.rng.random() < _COLOUR_SHARE:
        coloured = talk.fill("np_coloured", colour=noun.colour, kind=kind)
        return talk.fill("answer_thing", x=coloured if talk.rng.random() >= _BARE_SHARE else noun.colour)
    key, others = ways[talk.rng.integers(len(ways))]
    if key in OF_TWO and sum(o.kind == noun.kind for o in objects) == 2:
        return talk.line(OF_TWO[key])
    named = {letter: talk.noun(Noun(o.colour, o.kind)) for letter, o in zip("xy", others, strict=False)}
    return talk.fill("answer_thing", x=talk.fill(key, kind=kind, **named))
