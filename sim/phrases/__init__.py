# SPDX-License-Identifier: Apache-2.0
"""How people say things: YAML files beside this one, and what makes sentences of them.

A file of a task holds

    words:                 # what may stand in a slot; `shared: put` is the list of that name in common.yaml
      v: [shared: put, stack, pile]
    templates:             # sentences, each as often as the number after it says
      - "{v} {a} on {b}": 10
      - i want {a} on {b}
    held_out_templates:    # never in training: what the split `paraphrase` says
      - perch {a} on top of {b}
    relations: {left of: [left of, to the left of]}    # and held_out_relations likewise
    amounts: {5 cm: [5 cm, five centimetres]}

`{a}`, `{b}`, `{c}`, `{r}` and `{d}` are the target, the reference, the other, the relation and the amount of a
plan. Many words in many places teach the language model to read what matters, and not to know a list by heart.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from embodied.errors import EmbodiedError, check_name
from embodied.language.nouns import Noun
from embodied.language.verbs import Plan

try:  # ten times as quick
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader

FOLDER = Path(__file__).parent
Words = Mapping[str, tuple[str, ...]]

_TABLES = ("words", "relations", "held_out_relations", "amounts")
_NOUNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}


@dataclass(frozen=True, kw_only=True)
class Phrases:
    """How people ask for one task."""

    templates: tuple[str, ...]
    words: Words = field(default_factory=dict)
    held_out_templates: tuple[str, ...] = ()
    relations: Words = field(default_factory=dict)
    held_out_relations: Words = field(default_factory=dict)
    amounts: Words = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Those of a YAML file. Raises EmbodiedError or UnknownNameError that says what is wrong in it."""
        content = read(file)
        known = [entry.name for entry in fields(cls)]
        for key, value in content.items():
            check_name(f"key of {file}", key, known)
            if isinstance(value, dict) != (key in _TABLES):
                wanted = "lists by name" if key in _TABLES else "a list"
                raise EmbodiedError(f"{file}: {key} must be {wanted}")
        if not content.get("templates"):
            raise EmbodiedError(f"{file} has no templates")
        return cls(**content)

    def say(self, plan: Plan, rng: np.random.Generator, *, held_out: bool = False, exact: bool = False) -> str:
        """The words of `plan`; with `held_out` by words that training never saw. Raises EmbodiedError.

        With `exact` no noun is one that names another kind of thing: a bowl is no cup.
        """
        templates = self.held_out_templates if held_out else self.templates
        if not templates:
            raise EmbodiedError(f"there are no held-out templates to say {plan.text()!r} with")
        sentence = fill(pick(templates, rng), self.words, rng)
        slots = {
            slot: noun_phrase(noun, rng, held_out=held_out, exact=exact)
            for slot, noun in (("a", plan.target), ("b", plan.reference), ("c", plan.other))
            if noun is not None
        }
        if plan.relation is not None:
            phrases = self.relations.get(plan.relation, (plan.relation,))
            if held_out and rng.random() < 0.5:
                phrases = self.held_out_relations.get(plan.relation, phrases)
            slots["r"] = pick(phrases, rng)
        if plan.amount is not None:
            slots["d"] = pick(self.amounts.get(plan.amount, (plan.amount,)), rng)
        try:
            return polite(sentence.format(**slots), rng)
        except KeyError as error:
            raise EmbodiedError(
                f"the template {sentence!r} has a slot {error.args[0]!r}, which neither its words nor the "
                f"plan {plan.text()!r} fill"
            ) from None


@lru_cache
def read(file: Path) -> Mapping[str, Any]:
    """A YAML file with its lists of phrases as tuples. Raises EmbodiedError that says what is wrong."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise EmbodiedError(f"no phrases in {file}: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise EmbodiedError(f"{file} must hold `key: list of phrases` lines")
    table: Mapping[str, Any] = _expanded(file, content)
    return table


def _expanded(file: Path, content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _expanded(file, value) for key, value in content.items()}
    if isinstance(content, list):
        return tuple(phrase for entry in content for phrase in _phrases(file, entry))
    raise EmbodiedError(f"{file}: {content!r} must be a list of phrases")


def _phrases(file: Path, entry: Any) -> tuple[str, ...]:
    if isinstance(entry, str):
        return (entry,)
    if isinstance(entry, dict) and len(entry) == 1:
        [(phrase, times)] = entry.items()
        if phrase == "shared" and isinstance(times, str):
            shared = _common()["shared"]
            check_name("shared list of phrases", times, shared)
            return tuple(shared[times])
        if isinstance(phrase, str) and type(times) is int:
            return (phrase,) * times
    raise EmbodiedError(f"{file}: {entry!r} is no phrase; write it in quotes, or as `phrase: how often`")


def _common() -> Mapping[str, Any]:
    return read(FOLDER / "common.yaml")


def register_nouns(kind: str, nouns: tuple[str, ...], held_out: tuple[str, ...] = ()) -> None:
    """Say how people call a kind of thing; without this it is called by its name. Raises EmbodiedError."""
    if kind in read(FOLDER / "things.yaml") or _NOUNS.get(kind, (nouns, held_out)) != (nouns, held_out):
        raise EmbodiedError(f"how {kind!r} is called is known already")
    _NOUNS[kind] = (nouns, held_out)


def nouns(kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """How people call a kind of thing, and how they do where training must not have seen the word.

    What stands there twice comes twice as often.
    """
    entry = read(FOLDER / "things.yaml").get(kind)
    return (entry["nouns"], entry["held_out"]) if entry else _NOUNS.get(kind, ((kind,), ()))


def noun_phrase(noun: Noun, rng: np.random.Generator, *, held_out: bool = False, exact: bool = False) -> str:
    """One way to name a thing; with `held_out`, half of the time by a word that training never saw.

    With `exact` it is by no word that names another kind of thing.
    """
    known, unseen = nouns(noun.kind)
    if exact:
        lent = read(FOLDER / "things.yaml").get(noun.kind, {}).get("lent", ())
        known = tuple(word for word in known if word not in lent)
    if held_out and rng.random() < 0.5:
        known = unseen or known
    common = _common()
    return pick(common["noun_phrases"], rng).format(
        colour=noun.colour, noun=pick(known, rng), adjective=pick(common["adjectives"], rng)
    )


def polite(sentence: str, rng: np.random.Generator) -> str:
    """Dress a command as people do; sometimes capitalised."""
    sentence = pick(_common()["prefixes"], rng) + sentence + pick(_common()["suffixes"], rng)
    return sentence.capitalize() if rng.random() < 0.2 else sentence


def fill(template: str, words: Words, rng: np.random.Generator) -> str:
    """`template` with a random word in every slot of `words`; other slots stay as they are."""
    for slot in re.findall(r"{(\w+)}", template):
        if slot in words:
            template = template.replace(f"{{{slot}}}", pick(words[slot], rng), 1)
    return template


def pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    """One of `options`; what stands there twice comes twice as often."""
    return options[rng.integers(len(options))]
