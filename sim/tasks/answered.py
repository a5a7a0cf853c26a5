# SPDX-License-Identifier: Apache-2.0
"""answered: a command that leads to the question which one is meant, and what is said next."""

from collections.abc import Sequence
from dataclasses import replace

from embodied.language.dialogue import joined
from embodied.language.looks import ANY
from embodied.language.nouns import Noun
from embodied.language.verbs import NOUN_SLOTS, Plan
from embodied.types import ObjectState
from sim.phrases import pick
from sim.phrases.talk import Talk
from sim.tasks import make_task, register
from sim.tasks.spoken import Said, Spoken, like, some_plan
from sim.tasks.which_one import key_of, look_that_finds, named_besides, ways_to_call

_NEW_SHARE, _ELSE_SHARE = 0.2, 0.2
"""Of cases where somebody does not answer and says a new command, or something of one of the families ELSE."""
ELSE = ("negation", "remark", "question", "absent", "the_only")
_COLOUR_SHARE = 0.5
"""Of answers that say the colour: the question names the colours that there are."""
_BARE_SHARE = 0.2
"""Of these, such as are a colour and nothing else."""
OF_TWO = {
    "leftmost": "answer_left",
    "rightmost": "answer_right",
    "nearest": "answer_nearer",
    "farthest": "answer_farther",
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
            words, looks = _answer(nouns[slot], objects, talk)
            return Said(words=joined(command, words), plan=plan, looks=looks)
        if share >= _ELSE_SHARE:
            new = some_plan(objects, talk)
            return None if new is None else Said(words=joined(command, talk.act(new)), plan=new)
        task = make_task(ELSE[talk.rng.integers(len(ELSE))])
        assert isinstance(task, Spoken)
        said = task.about(objects, talk)
        return None if said is None else replace(said, words=joined(command, said.words))


def _answer(noun: Noun, objects: Sequence[ObjectState], talk: Talk) -> tuple[str, tuple[Plan, ...]]:
    """Which of its kind is meant, by its colour or by its place, which there is to be looked for."""
    kind = pick(("one", talk.kind(noun.kind)), talk.rng)
    meant = next(o for o in objects if (o.colour, o.kind) == (noun.colour, noun.kind))
    ways = [each for each in ways_to_call(meant, objects) if talk.may_say(key_of(each[0]))]
    if not ways or talk.rng.random() < _COLOUR_SHARE:
        coloured = talk.fill("np_coloured", colour=noun.colour, kind=kind)
        return talk.fill("answer_thing", x=coloured if talk.rng.random() >= _BARE_SHARE else noun.colour), ()
    way, others = ways[talk.rng.integers(len(ways))]
    of_two = sum(o.kind == noun.kind for o in objects) == 2
    return answer_by_place(way, others, kind, talk, of_two=of_two), (
        look_that_finds(way, Noun(ANY, noun.kind), others),
    )


def answer_by_place(way: str, others: Sequence[ObjectState], kind: str, talk: Talk, *, of_two: bool) -> str:
    """Which one is meant, by where it is; `kind` is what its kind is called."""
    if way in OF_TWO and of_two:
        return talk.line(OF_TWO[way])
    named = named_besides(others, talk)
    return talk.fill("answer_thing", x=talk.fill(key_of(way), kind=kind, **named))
