# SPDX-License-Identifier: Apache-2.0
"""Saying a plan as people do: a whole sentence, an imperative inside of another one, a thing by its colour and kind.

What a plan names may be called by other words than its colour and kind ("the leftmost block"): whoever knows a better
way to name a thing gives it as `called`.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from embodied.language.nouns import Noun
from embodied.language.verbs import Plan
from embodied.language.vocabulary import NUMBERS
from sim.phrases import noun_phrase, nouns, pick, spoken
from sim.phrases.spoken import Lines

KEYS = {"put_in_bowl": "put_in", "place_between": "put_between"}
"""Verbs whose lines stand under another key."""
_SLOTS = {"a": "target", "b": "reference", "c": "other"}
_DEFINITE = frozenset({"the", "that", "this", "my"})
"""What a phrase begins with that means one thing and no other."""
_OWN_WORDS_SHARE = 0.5
"""Of things that are called by words that several gave, and not by those of `things.yaml`."""


class Talk:
    """Chance, and which lines may be said: those of training, or with `held_out` those that training never says."""

    def __init__(self, rng: np.random.Generator, *, held_out: bool = False) -> None:
        self.rng, self.held_out = rng, held_out

    def line(self, key: str, *, definite: bool = True) -> str:
        """One line of a key of `sim.phrases.spoken`, with its slots; `definite`: it may speak as of the only one."""
        lines = spoken.lines(key, held_out=self.held_out)
        if not definite:
            lines = tuple(line for line in lines if line.split()[0] not in _DEFINITE)
        return pick(lines, self.rng)

    def may_say(self, key: str) -> bool:
        """Whether this kind of sentence may be said at all: training never shows some."""
        return self.held_out or key not in spoken.HELD_OUT_KEYS

    def key(self, keys: Sequence[str]) -> str:
        """One of several kinds of sentences that mean the same."""
        return keys[int(self.rng.integers(len(keys)))]

    def fill(self, key: str, **slots: str) -> str:
        """One line of a key, with what stands in its slots; those that it does not have are left out."""
        return self.line(key).format(**slots)

    def noun(self, noun: Noun) -> str:
        """A thing by its colour and its kind."""
        if self.rng.random() >= _OWN_WORDS_SHARE:
            return noun_phrase(noun, self.rng)
        return self.fill("np_coloured", colour=noun.colour, kind=self.kind(noun.kind))

    def kind(self, kind: str) -> str:
        """What a kind of thing is called."""
        word = "long_box" if kind == "bar" else kind
        return pick(spoken.words("nouns", word) if spoken.is_called("nouns", word) else nouns(kind)[0], self.rng)

    def can_act(self, plan: Plan) -> bool:
        """Whether there are lines for what is to be done."""
        return spoken.is_said(KEYS.get(plan.verb, plan.verb))

    def act(self, plan: Plan, called: Mapping[str, str] | None = None) -> str:
        """The whole command; `called` says how things of the plan are called, by slot."""
        return self._said(self.line(KEYS.get(plan.verb, plan.verb)), plan, called)

    def bare(self, plan: Plan) -> str:
        """The command as an imperative that can stand inside of a sentence; such lines are never held out."""
        return self._said(pick(spoken.bare("imperatives", plan.verb), self.rng), plan, None)

    def _said(self, line: str, plan: Plan, called: Mapping[str, str] | None) -> str:
        called = called or {}
        slots = {
            letter: called.get(slot) or self.noun(noun)
            for letter, slot in _SLOTS.items()
            if (noun := getattr(plan, slot)) is not None
        }
        if plan.relation is not None:
            where = pick(spoken.bare("relations", plan.relation), self.rng)
            slots |= {"r": where, "dir": where, "spot": where}
        if plan.amount is not None:
            far = self.amount(plan.amount)
            slots |= {"d": far, "angle": far}
        return line.format(**slots)

    def amount(self, amount: str) -> str:
        """So many centimetres or degrees in words."""
        number, unit = amount.split()
        said = number if self.rng.random() < 0.6 or int(number) > 12 else NUMBERS[int(number)]
        if unit == "cm":
            units: Lines = ("cm", "centimetres", "centimeters") if int(number) > 1 else ("cm", "centimetre")
            return f"{said} {pick(units, self.rng)}"
        turns = {"90": "a quarter turn", "180": "half a turn"}
        if number in turns and self.rng.random() < 0.3:
            return turns[number]
        return f"{said} degrees" if self.rng.random() < 0.8 else f"{said}°"


def plural(word: str) -> str:
    """The plural of what a thing is called."""
    head, _, last = word.rpartition(" ")
    if last == "dice":
        return word
    several = re.sub(r"(s|x|z|ch|sh)$", r"\1e", last)
    several = re.sub(r"([^aeiou])y$", r"\1ie", several)
    return f"{head} {several}s".strip()
