# SPDX-License-Identifier: Apache-2.0
"""Verbs and the plans made with them. A plan is one short sentence of a closed language.

So it can be enumerated (constrained decoding walks the enumeration), parsed back without doubt, and turned
into a motion once its nouns have been pointed at.

To add a verb, write a file here with a class like those beside it; nothing else changes. Outside of this
folder, decorate the class with `register`.
"""

import itertools
import re
import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from embodied.language.looks import FOUND, LOOKS, THING
from embodied.language.nouns import Noun, listed
from embodied.motion.places import NOWHERE
from embodied.motion.skills import SkillCall
from embodied.registry import Registry, instance_of
from embodied.things import THINGS, Thing
from embodied.types import Float

CANNOT, ABSENT = "cannot", "absent"
WHICH, NOTHING, QUESTION, FOREIGN, DONE, SAY = "which", "nothing", "question", "foreign", "done", "say"
ANSWERS: Mapping[str, str] = {
    CANNOT: "cannot do that",
    ABSENT: "no {target} here",
    WHICH: "which {target}",
    NOTHING: "do nothing",  # it was forbidden, or nothing was asked for
    QUESTION: "answer that",
    FOREIGN: "speak english",
    DONE: "done",  # nothing of the command is left to do
    SAY: "say {said}",  # it was asked something: the answer, in the model's own words
}
"""What is said in place of a motion."""


NOUN_SLOTS = ("target", "reference", "other")
SAID = "said"
"""The slot of an answer in free words, or of the words that a look says again; without a full stop inside of it."""
SLOTS = (*NOUN_SLOTS, "relation", "amount", SAID)
"""What a sentence may have in braces; the nouns come in this order."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do, in words: a registered verb or look with what it needs, or one of ANSWERS."""

    verb: str
    target: Noun | None = None
    reference: Noun | None = None
    other: Noun | None = None  # a second reference
    relation: str | None = None  # where to, or which way round
    amount: str | None = None  # how far
    said: str | None = None  # what is answered, or said again

    def text(self) -> str:
        """The canonical sentence of this plan."""
        return sentence_of(self.verb).format(**{slot: getattr(self, slot) for slot in SLOTS})

    @property
    def nouns(self) -> tuple[Noun, ...]:
        """What to point at, in the order in which the sentence names it."""
        return tuple(noun for noun in (self.target, self.reference, self.other) if noun is not None)

    @property
    def refused(self) -> bool:
        """Whether the plan is an answer and no motion."""
        return self.verb in ANSWERS

    @property
    def looks(self) -> bool:
        """Whether the plan is a look: it asks what is there, or what was said, before anything is done."""
        return self.verb in LOOKS

    @property
    def moves(self) -> bool:
        """Whether the plan has a motion."""
        return not self.refused and not self.looks

    def ground(self, points_m: Float, others_m: Float = NOWHERE) -> SkillCall:
        """The motion, once its things were pointed at.

        `points_m` is (N, 2), world x, y of each of `nouns`; `others_m` (M, 2) that of everything else that is seen.
        """
        assert self.moves, "only a verb has a motion"
        assert points_m.shape == (len(self.nouns), 2), points_m.shape
        assert others_m.shape[1:] == (2,), others_m.shape
        return VERBS.get(self.verb).ground(self, points_m, others_m)


class Verb(ABC):
    """Something that the agent can be told to do."""

    name: ClassVar[str]
    sentence: ClassVar[str]
    """The canonical sentence, with those of SLOTS that it has."""
    ability: ClassVar[str]
    """How the agent names it when it says what it can do."""
    relations: ClassVar[tuple[str, ...]] = ()
    """What {relation} may be."""
    amounts: ClassVar[tuple[str, ...]] = ()
    """What {amount} may be."""

    def takes(self, target: Thing) -> bool:
        """Whether it can be done to such a thing; by default to what a hand can grasp."""
        return target.grasp is not None

    def refers(self, reference: Thing) -> bool:
        """Whether such a thing may stand in the slots {reference} and {other}."""
        return True

    def suits(self, target: Thing, reference: Thing) -> bool:
        """Whether it can be done to the two together, of things that it takes and refers to."""
        return True

    @abstractmethod
    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        """The motion of a plan of this verb: `points_m` is (N, 2), a row for each of `plan.nouns`.

        `others_m` is (M, 2), where everything else stands: who needs a free place asks `free_place`.
        """

    def fits(self, noun: Noun, before: Sequence[Noun]) -> bool:
        """Whether a thing may stand in the slot that follows on those `before` it, the target first."""
        if not before:
            return self.takes(noun.thing)
        return noun not in before and self.refers(noun.thing) and self.suits(before[0].thing, noun.thing)

    def plans(self, nouns: Sequence[Noun]) -> Iterator[Plan]:
        """Every plan of this verb over `nouns`, each once."""
        options: dict[str, Sequence[Any]] = {"relation": self.relations, "amount": self.amounts}
        options["target"] = [noun for noun in nouns if self.takes(noun.thing)]
        options["reference"] = options["other"] = [noun for noun in nouns if self.refers(noun.thing)]
        slots = slots_of(self.sentence)
        for values in itertools.product(*(options[slot] for slot in slots)):
            named = [value for value in values if isinstance(value, Noun)]
            if all(self.fits(noun, named[:i]) for i, noun in enumerate(named)):
                yield Plan(verb=self.name, **dict(zip(slots, values, strict=True)))


VERBS: Registry[Verb] = Registry("verb", group="embodied.verbs", package=__name__, build=instance_of(Verb))
"""Verbs by name."""


def register(verb: type[Verb]) -> type[Verb]:
    """Class decorator: make a verb known by its name."""
    VERBS.register(verb.name, verb())
    return verb


def at_height(xy_m: Float, height_m: float) -> Float:
    """(3,) the place x, y (2,) at a height; or places (N, 3) of (N, 2)."""
    return np.concatenate([xy_m, np.full((*xy_m.shape[:-1], 1), height_m)], axis=-1)


def grasp_height_m(noun: Noun | None) -> float:
    """Height of the tool centre point that takes such a thing from the table."""
    assert noun is not None and noun.thing.grasp is not None, f"{noun} cannot be taken"
    return noun.thing.grasp.height_m


def abilities(names: Sequence[str]) -> str:
    """What an agent with these verbs can do: "touch, pick up and stack"."""
    return listed([VERBS.get(name).ability for name in names])


def sentence_of(verb: str) -> str:
    """The canonical sentence of a verb, a look or an answer, with its slots. Raises UnknownNameError."""
    if verb in ANSWERS:
        return ANSWERS[verb]
    return LOOKS.get(verb).sentence if verb in LOOKS else VERBS.get(verb).sentence


def choices_of(verb: str) -> Mapping[str, tuple[str, ...]]:
    """What {relation} and {amount} may be in that sentence. Raises UnknownNameError."""
    if verb in ANSWERS:
        return {}
    if verb in LOOKS:
        return {"relation": LOOKS.get(verb).relations}
    return {"relation": VERBS.get(verb).relations, "amount": VERBS.get(verb).amounts}


def may_follow(verb: str, before: Sequence[Noun]) -> Callable[[Noun], bool]:
    """Tells of a thing whether it may stand in the slot of that sentence that follows on those `before` it."""
    if verb in LOOKS:
        return lambda noun: noun not in before
    fits = None if verb in ANSWERS else VERBS.get(verb).fits
    return lambda noun: noun.kind != THING and (fits is None or fits(noun, before))


@lru_cache(maxsize=1024)
def slots_of(sentence: str) -> tuple[str, ...]:
    """The slots of a canonical sentence, in its order."""
    return tuple(name for _, name, _, _ in string.Formatter().parse(sentence) if name)


@lru_cache(maxsize=1 << 16)
def parse_plan(text: str) -> Plan:
    """The plan that `text` is the sentence of, with registered verbs, looks and things; the inverse of `Plan.text`.

    Raises ValueError for any other text.
    """
    words = " ".join(text.split())
    for name in (*ANSWERS, *LOOKS, *VERBS):
        match = _pattern(sentence_of(name), (*THINGS.names(), THING), **choices_of(name)).fullmatch(words)
        if match is None:
            continue
        found = match.groupdict()
        nouns = {slot: _noun(found[slot]) for slot in NOUN_SLOTS if slot in found}
        plan = Plan(verb=name, **(found | nouns))  # type: ignore[arg-type]  # slots by name
        if all(may_follow(name, plan.nouns[:i])(noun) for i, noun in enumerate(plan.nouns)):
            return plan
    raise ValueError(f"not a plan: {text!r}; a plan reads like 'put red block in green bowl'")


def look_of(result: str) -> Plan:
    """The look that stands with what it found, as in a sentence. Raises ValueError for any other text."""
    return parse_plan(result.partition(FOUND)[0])


def _noun(text: str) -> Noun:
    """A colour and a kind, or a kind alone."""
    colour, _, kind = text.partition(" ")
    return Noun(colour, kind) if kind else Noun("", colour)


@lru_cache(maxsize=1024)
def _pattern(
    sentence: str, kinds: tuple[str, ...], relation: tuple[str, ...] = (), amount: tuple[str, ...] = ()
) -> re.Pattern[str]:
    kind = "|".join(map(re.escape, kinds))
    slots = dict.fromkeys(NOUN_SLOTS, rf"\w+ (?:{kind})") | {
        "relation": "|".join(map(re.escape, relation)),
        "amount": "|".join(map(re.escape, amount)),
    }
    slots[SAID] = r"[^.]+"
    if sentence == ANSWERS[WHICH]:
        slots["target"] = rf"(?:\w+ )?(?:{kind})"
    parts = re.split(r"{(\w+)}", sentence)
    found = (f"(?P<{part}>{slots[part]})" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    return re.compile("".join(found))
