# SPDX-License-Identifier: Apache-2.0
"""Looks: what the model may ask itself before it acts or answers, about the things that are seen or what was said.

A look is one short sentence of a closed language, as a plan is. What is found is put behind it, and the model reads on
(a tool whose result is read, as in ReAct, Yao et al. 2023, and ViperGPT, Surís et al. 2023): the model decides what was
meant, the picture what is there, and nobody has to count in his head.

To add a look, write a file here with a class like those beside it; nothing else changes. Outside of this folder,
decorate the class with `register`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol

from embodied.language.dialogue import joined
from embodied.language.nouns import Noun
from embodied.language.seen import Entity, the
from embodied.registry import Registry, instance_of
from embodied.types import Step

ANY, THING = "any", "thing"
"""Stand for a colour and for a kind in a look, where any will do."""
FOUND = ": "
"""Between a look and what it found."""
NONE = "none"
"""What is found where there is nothing of the sort."""


class Slots(Protocol):
    """What a plan that is a look has: verbs find looks by their names, and know what a plan is."""

    @property
    def verb(self) -> str: ...
    @property
    def target(self) -> Noun | None: ...
    @property
    def reference(self) -> Noun | None: ...
    @property
    def other(self) -> Noun | None: ...
    @property
    def relation(self) -> str | None: ...
    @property
    def said(self) -> str | None: ...
    def text(self) -> str: ...


class Look(ABC):
    """Something that the model may ask."""

    name: ClassVar[str]
    sentence: ClassVar[str]
    """Its canonical sentence, with the slots of a verb's: target, reference, other, relation; or said, which is in the
    model's own words and comes last."""
    relations: ClassVar[tuple[str, ...]] = ()
    """What {relation} may be."""
    alone: ClassVar[bool] = False
    """Whether what is found is read in place of all that was said, and not behind it."""

    @abstractmethod
    def found(self, plan: Slots, entities: Sequence[Entity]) -> str:
        """The result in words, without a full stop inside of it: of a plan that is this look, among what is seen."""


class Choice(Look):
    """A look for one thing among its like, which also tells it from others of its name."""

    @abstractmethod
    def chosen(self, plan: Slots, entities: Sequence[Entity]) -> Entity | None:
        """That one; None where there is nothing of the sort."""

    def found(self, plan: Slots, entities: Sequence[Entity]) -> str:
        one = self.chosen(plan, entities)
        return NONE if one is None else the(one)


LOOKS: Registry[Look] = Registry("look", group="embodied.looks", package=__name__, build=instance_of(Look))
"""Looks by name."""


def register(look: type[Look]) -> type[Look]:
    """Class decorator: make a look known by its name."""
    LOOKS.register(look.name, look())
    return look


def like(noun: Noun | None, entities: Sequence[Entity]) -> list[Entity]:
    """Those that a look means by `noun`, from left to right."""
    assert noun is not None
    fits = [e for e in entities if noun.colour in (ANY, e.colour) and noun.kind in (THING, e.kind)]
    return sorted(fits, key=lambda entity: entity.place_m[1])


def read_on(said: str, plan: Slots, result: str) -> str:
    """What is read next, where a look at what was `said` came to a `result`."""
    if LOOKS.get(plan.verb).alone:
        return result.removeprefix(f"{plan.text()}{FOUND}")
    return joined("", said, [Step(text=result)])


def result_of(plan: Slots, entities: Sequence[Entity]) -> str:
    """A look with what was found, as it stands in the sentence."""
    return f"{plan.text()}{FOUND}{LOOKS.get(plan.verb).found(plan, entities)}"
