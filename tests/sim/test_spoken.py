# SPDX-License-Identifier: Apache-2.0
"""What several people wrote: what is held out stays out, and a line says no more than its key."""

from __future__ import annotations

import hashlib
import re

import pytest

from embodied.errors import UnknownNameError
from sim import phrases
from sim.phrases import Phrases, spoken

KEYS = tuple(
    key for writer in spoken.WRITERS for key, found in spoken._read(writer).items() if isinstance(found, tuple)
)
HELD_OUT = tuple(
    key for file in spoken.HELD_OUT for key, found in spoken._read(file).items() if isinstance(found, tuple)
)
OPTIONAL = {"np_any": {"kind", "kinds"}, "np_any_but": {"kind", "kinds"}}


def bare(line: str) -> str:
    return re.sub(r"[^\w{} ]", "", line.lower()).strip()


def test_what_is_held_out_is_what_was_held_out_before_training() -> None:
    told = dict(line.split()[::-1] for line in (spoken.FOLDER / "SHA256SUMS").read_text().splitlines())
    assert set(told) == {f"{name}.yaml" for name in spoken.HELD_OUT}
    for name, digest in told.items():
        assert hashlib.sha256((spoken.FOLDER / name).read_bytes()).hexdigest() == digest


def test_no_line_that_is_held_out_is_said_in_training() -> None:
    said = {(key, bare(line)) for key in set(KEYS) for line in spoken.lines(key)}
    held_out = {(key, bare(line)) for key in HELD_OUT for line in spoken.lines(key, held_out=True)}
    assert len(held_out) >= 300
    assert not said & held_out
    assert {key for key, _ in held_out} - {key for key, _ in said} == set(spoken.HELD_OUT_KEYS)
    assert {key for key, _ in said} <= {key for key, _ in held_out}, "a part of every list"


def test_no_template_that_a_task_holds_out_is_said_in_training() -> None:
    said = {bare(line) for key in set(KEYS) for line in spoken.lines(key)}
    for file in phrases.FOLDER.glob("*.yaml"):
        if file.stem not in ("common", "refuse", "things"):
            assert said.isdisjoint(map(bare, Phrases.read(file).held_out_templates)), file


@pytest.mark.parametrize("key", sorted({*KEYS, *HELD_OUT}))
def test_all_lines_of_a_key_have_the_same_slots(key: str) -> None:
    lines = [*spoken.lines(key, held_out=True), *(() if key in spoken.HELD_OUT_KEYS else spoken.lines(key))]
    slots = {frozenset(re.findall(r"{(\w+)}", line)) for line in lines}
    assert len({each - OPTIONAL.get(key, set()) for each in slots}) == 1
    assert all(len(re.findall(r"{\w+}", line)) == len(set(re.findall(r"{\w+}", line))) for line in lines)


def test_words_that_are_held_out_are_others() -> None:
    for table, names in (("nouns", spoken._read("words")["nouns"]), ("colours", spoken._read("words")["colours"])):
        for name in names:
            known, unseen = spoken.words(table, name), spoken.words(table, name, held_out=True)
            assert known and unseen and not set(known) & set(unseen)


def test_a_kind_of_sentence_that_nobody_wrote_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'touch'"):
        spoken.lines("tuch")
