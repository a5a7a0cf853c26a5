# SPDX-License-Identifier: Apache-2.0
"""How people talk to the arm, as several have written it, each alone and from a description of the situation.

One YAML a writer; `words.yaml` is what all of them call things and colours; HELD_OUT is what training never says: a
part of every list, and the whole of HELD_OUT_KEYS. Their digests were committed before anything was trained on the
rest. A key names what all of its lines mean:

- a verb, with the slots {a}, {b} and {c} for the things that its plan names, {r} for where, {d} for how far;
- `forbid_*`, `this_not_that`, `correct_*`, `polite`, `conditional_no`: sentences around an act, which stands in {act};
- `np_*`: ways to name a thing among others;
- `ask_*`, `remark*`, `impossible*`: no commands, or none that the arm can do;
- `follow_*`, `answer_*`: what follows on an earlier command;
- `foreign`: commands in other languages;
- `two_acts` to `if_there`: what takes several steps, its acts in {one}, {two} and {three}, its things in {kinds};
- `again` to `now_into`: what is said after a command; `q_*`: questions with one right answer.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from embodied.errors import check_name

FOLDER = Path(__file__).parent
WRITERS = ("ada", "ben", "chi", "dot", "evi", "fox")
HELD_OUT = ("held_out", "held_out_long")
HELD_OUT_KEYS = ("ask_on_top", "correct_all", "np_farthest_from", "remark_thing")
"""Whole kinds of sentences that training never shows."""

Lines = tuple[str, ...]


@cache
def _read(name: str) -> Mapping[str, Lines | Mapping[str, Lines]]:
    """One file. Every word in it is text, "no" as well."""
    content = yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), yaml.BaseLoader)
    return {
        key: {word: tuple(each) for word, each in found.items()} if isinstance(found, dict) else tuple(found)
        for key, found in content.items()
    }


@cache
def lines(key: str, *, held_out: bool = False) -> Lines:
    """All ways to say what a key means; with `held_out` those that training never says.

    Raises UnknownNameError.
    """
    files = [_read(name) for name in (HELD_OUT if held_out else WRITERS)]
    known = dict.fromkeys(key for file in files for key, found in file.items() if isinstance(found, tuple))
    check_name("kind of sentence", key, tuple(known))
    found = tuple(line for file in files for line in file.get(key, ()))
    return found if held_out else tuple(line for line in found if bare_line(line) not in _held_out_lines())


def bare_line(line: str) -> str:
    """A line without letter case and punctuation, all of its slots alike."""
    return " ".join(re.sub(r"[^\w' {}]", " ", re.sub(r"{\w+}", "{}", line.lower())).split())


@cache
def _held_out_lines() -> frozenset[str]:
    """Every line that training never says, under whatever key somebody else wrote the same."""
    files = [_read(name) for name in HELD_OUT]
    return frozenset(
        bare_line(line) for file in files for found in file.values() if isinstance(found, tuple) for line in found
    )


@cache
def letters() -> frozenset[str]:
    """Every letter that somebody writes, in whatever language."""
    return frozenset("".join(lines("foreign") + lines("foreign", held_out=True)))


def words(table: str, name: str, *, held_out: bool = False) -> Lines:
    """What people call a thing or a colour: `table` is "nouns" or "colours". Raises UnknownNameError."""
    return _entry("held_out" if held_out else "words", table, name)


def is_said(key: str) -> bool:
    """Whether anybody has written lines for a key: for a verb of somebody else's nobody has."""
    return any(isinstance(_read(name).get(key), tuple) for name in WRITERS)


def is_called(table: str, name: str) -> bool:
    """Whether there are `words` for it."""
    return name in _read("words")[table]


def bare(table: str, name: str) -> Lines:
    """The "imperatives" of a verb, or words for one of its "relations". Raises UnknownNameError."""
    return _entry("bare", table, name)


def _entry(file: str, table: str, name: str) -> Lines:
    found = _read(file)[table]
    assert isinstance(found, Mapping), table
    check_name(table, name, tuple(found))
    return found[name]
