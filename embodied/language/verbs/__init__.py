# SPDX-License-Identifier: Apache-2.0
"""Verbs and the plans made with them. A plan is one short sentence of a closed language.

So it can be enumerated (constrained decoding walks the enumeration), parsed back without doubt, and turned
into a motion once its nouns have been pointed at.

To add a verb, write a file here with a class like those beside it; nothing else changes. Outside of this
folder, decorate the class with `register`.
"""

import itertools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from embodied.motion.skills import SkillCall
from embodied.registry import Registry, instance_of
from embodied.things import THINGS, Thing
from embodied.types import Float

CANNOT, ABSENT = "cannot", "absent"
_ANSWERS = {CANNOT: "cannot do that", ABSENT: "no {target} here"}


@dataclass(frozen=True)
class Noun:
    """A thing as words name it: "red block"."""

    colour: str
    kind: str

    def __str__(self) -> str:
        return f"{self.colour} {self.kind}"

    @property
    def thing(self) -> Thing:
        """What it is. Raises UnknownNameError for a kind that is not registered."""
        return THINGS.get(self.kind)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do, in words: a registered verb with what it needs, or the answer CANNOT or ABSENT."""

    verb: str
    target: Noun | None = None
    reference: Noun | None = None
    relation: str | None = None

    def text(self) -> str:
        """The canonical sentence of this plan."""
        sentence = _ANSWERS[self.verb] if self.refused else VERBS.get(self.verb).sentence
        return sentence.format(target=self.target, reference=self.reference, relation=self.relation)

    @property
    def nouns(self) -> tuple[Noun, ...]:
        """What to point at, in the order in which the sentence names it."""
        return tuple(noun for noun in (self.target, self.reference) if noun is not None)

    @property
    def refused(self) -> bool:
        """Whether the plan is an answer and no motion."""
        return self.verb in _ANSWERS

    def ground(self, points_m: Float) -> SkillCall:
        """The motion, once its things were pointed at: (N, 2) world x, y of each of `nouns`."""
        assert not self.refused, "a refusal has no motion"
        assert points_m.shape == (len(self.nouns), 2), points_m.shape
        return VERBS.get(self.verb).ground(self, points_m)


class Verb(ABC):
    """Something that the agent can be told to do."""

    name: ClassVar[str]
    sentence: ClassVar[str]
    """The canonical sentence, with the slots {target}, {reference} and {relation} that it has."""
    ability: ClassVar[str]
    """How the agent names it when it says what it can do."""
    relations: ClassVar[tuple[str, ...]] = ()

    def takes(self, target: Thing) -> bool:
        """Whether it can be done to such a thing; by default to what a hand can grasp."""
        return target.grasp is not None

    def refers(self, reference: Thing) -> bool:
        """Whether such a thing may stand in the slot {reference}."""
        return True

    def fits(self, target: Thing, reference: Thing) -> bool:
        """Whether it can be done to the two together, of things that it takes and refers to."""
        return True

    @abstractmethod
    def ground(self, plan: Plan, points_m: Float) -> SkillCall:
        """The motion of a plan of this verb; `points_m` is (N, 2), a row for each of `plan.nouns`."""

    def plans(self, nouns: Sequence[Noun]) -> Iterator[Plan]:
        """Every plan of this verb over `nouns`, each once."""
        if "{target}" not in self.sentence:
            yield Plan(verb=self.name)
            return
        targets = [(noun, thing) for noun in nouns if self.takes(thing := noun.thing)]
        references: list[tuple[Noun, Thing] | tuple[None, None]] = [(None, None)]
        if "{reference}" in self.sentence:
            references = [(noun, thing) for noun in nouns if self.refers(thing := noun.thing)]
        pairs = itertools.product(targets, self.relations or (None,), references)
        for (target, thing), relation, (reference, other) in pairs:
            if target != reference and (other is None or self.fits(thing, other)):
                yield Plan(verb=self.name, target=target, relation=relation, reference=reference)


VERBS: Registry[Verb] = Registry("verb", group="embodied.verbs", package=__name__, build=instance_of(Verb))
"""Verbs by name."""


def register(verb: type[Verb]) -> type[Verb]:
    """Class decorator: make a verb known by its name."""
    VERBS.register(verb.name, verb())
    return verb


def at_height(xy_m: Float, height_m: float) -> Float:
    """(3,) the place x, y (2,) at a height."""
    return np.append(xy_m, height_m)


def grasp_height_m(noun: Noun | None) -> float:
    """Height of the tool centre point that takes such a thing from the table."""
    assert noun is not None and noun.thing.grasp is not None, f"{noun} cannot be taken"
    return noun.thing.grasp.height_m


def abilities(names: Sequence[str]) -> str:
    """What an agent with these verbs can do: "touch, pick up and stack"."""
    said = [VERBS.get(name).ability for name in names]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def all_plans(verbs: Sequence[str], kinds: Sequence[str], colours: Sequence[str]) -> Iterator[Plan]:
    """Every plan that a model with these words may write, each once.

    That a thing is absent is not among them: whoever points judges it by what is seen there.
    """
    nouns = [Noun(colour, kind) for kind in kinds for colour in colours]
    for name in verbs:
        yield from VERBS.get(name).plans(nouns)
    yield Plan(verb=CANNOT)


@lru_cache(maxsize=1 << 16)
def parse_plan(text: str) -> Plan:
    """The plan that `text` is the sentence of, with registered verbs and things; the inverse of `Plan.text`.

    Raises ValueError for any other text.
    """
    words = " ".join(text.split())
    if words == _ANSWERS[CANNOT]:
        return Plan(verb=CANNOT)
    for name in VERBS:
        match = _pattern(VERBS.get(name), THINGS.names()).fullmatch(words)
        if match is None:
            continue
        slots = match.groupdict()
        nouns = {key: Noun(*slots[key].split(" ", 1)) for key in ("target", "reference") if key in slots}
        plan = Plan(verb=name, relation=slots.get("relation"), **nouns)
        if plan in VERBS.get(name).plans(plan.nouns):
            return plan
    raise ValueError(f"not a plan: {text!r}; a plan reads like 'put red block in green bowl'")


@lru_cache(maxsize=1024)
def _pattern(verb: Verb, kinds: tuple[str, ...]) -> re.Pattern[str]:
    noun = rf"\w+ (?:{'|'.join(map(re.escape, kinds))})"
    slots = {"target": noun, "reference": noun, "relation": "|".join(map(re.escape, verb.relations))}
    parts = re.split(r"{(\w+)}", verb.sentence)
    found = (f"(?P<{part}>{slots[part]})" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    return re.compile("".join(found))
