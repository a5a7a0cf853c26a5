# SPDX-License-Identifier: Apache-2.0
"""How people say things: noun phrases, politeness, and which words are held out of training.

`paraphrase` uses a held-out template of the task and, half of the time, a held-out noun for each
thing. Nothing in HELD_OUT_NOUNS, nor any held-out template, is ever in training data.

A template is a sentence with slots: `{a}`, `{b}` and `{r}` stand for the things and the relation of a
plan; any other slot is filled from a task's own lists of words. Many words in many places teach the
language model to read what matters, and not to know a list by heart.
"""

import itertools
import re
from collections.abc import Iterator, Mapping

import numpy as np

from embodied.plan import Thing


def listed(text: str) -> tuple[str, ...]:
    """The phrases of a text, which semicolons part."""
    return tuple(" ".join(phrase.split()) for phrase in text.split(";"))


PUT_VERBS = listed("""
    put; place; set; move; drop; bring; transfer; lay; load; carry; take; get; transport; throw;
    toss; dump; deliver; send; lower; plant; land; add; settle; install; ease; let down; haul;
    shove; swing; slip; fit; sink; convey; cast; guide; arrange; store; keep; hide; chuck; plonk;
    park
""")
"""Moving a held thing to somewhere."""
PICK_VERBS = listed("""
    pick up; take; grab; lift; grasp; get; raise; collect; catch; snatch; hold; pick; lift up;
    take up; grip; gather; carry; choose; pull up; scoop up
""")
"""The first half of "take it and put it there"."""
REST_VERBS = listed("""
    goes; must go; has to go; needs to go; must be; has to be; lies; belongs; ought to be; is to be;
    must stand; stands; wants to be
""")
"""A goal told as a state: "it belongs there"."""

NOUNS: dict[str, tuple[str, ...]] = {
    "block": (
        *("block",) * 8,
        *("cube",) * 3,
        *listed("""
            toy block; square block; building block; piece; toy cube; little block; small cube;
            plastic block; block of wood; chunk; cuboid; lump; slab; toy; crate; package; parcel; box;
            dice; stone; solid cube; lego block; bit; solid
        """),
    ),
    "bowl": (
        *("bowl",) * 8,
        *listed("""
            basin; cup; container; round bowl; pot; pan; tub; bucket; bin; receptacle; mixing bowl;
            salad bowl; soup bowl; round container; shallow bowl; small bowl; plate; saucer; tray;
            round plate; pail; jar; casserole; round tub; cereal bowl; trough; holder
        """),
    ),
    "zone": (
        *("zone",) * 8,
        *listed("""
            area; region; square; pad; patch; target; field; place; section; sector; marker; tile;
            painted square; marking; goal; landing pad; flat square; square area; rectangle; rug;
            carpet; sheet; goal area; location; destination; panel; plot; sticker; surface;
            square on the table; marked area; space; site; ground; paper
        """),
    ),
}
HELD_OUT_NOUNS: dict[str, tuple[str, ...]] = {
    "block": ("brick", "wooden cube", "toy brick", "wood piece"),
    "bowl": ("dish", "vessel", "round dish", "shallow dish", "serving dish"),
    "zone": ("mat", "square patch", "target area"),
}

_NOUN_PHRASES = (
    *("the {colour} {noun}",) * 12,
    *("{colour} {noun}",) * 2,
    "that {colour} {noun}",
    "this {colour} {noun}",
    "a {colour} {noun}",
    "my {colour} {noun}",
    "the {noun} that is {colour}",
    "the {colour} coloured {noun}",
    "the {noun} which is {colour}",
    "the {adjective} {colour} {noun}",
    "the {colour} {adjective} {noun}",
)
_ADJECTIVES = ("small", "little", "tiny", "big", "nice", "plain", "shiny", "other", "lovely", "only")
_PREFIXES = (
    *("",) * 16,
    *("please ", "now ", "can you ", "could you ", "robot, ", "i want you to ", "go and ", "would you "),
    *("i need you to ", "try to ", "your task is to ", "your job is to ", "ok, ", "hey robot, ", "next, "),
    *("you should ", "you must ", "it is time to ", "let us ", "first, ", "then ", "will you ", "just "),
)
_SUFFIXES = (
    *("",) * 12,
    *(" please", " now", ".", " for me", "!", "?", ", please", ", thanks", " carefully", " slowly"),
    *(" right now", " with care", " if you can", " today", " and then stop", ", robot"),
)


def noun_phrase(thing: Thing, rng: np.random.Generator, *, held_out: bool = False) -> str:
    """One way to name `thing`; with `held_out`, half of the time by a word that training never saw."""
    nouns = NOUNS[thing.kind]
    if held_out and rng.random() < 0.5:
        nouns = HELD_OUT_NOUNS[thing.kind]
    return pick(_NOUN_PHRASES, rng).format(
        colour=thing.colour, noun=pick(nouns, rng), adjective=pick(_ADJECTIVES, rng)
    )


def polite(sentence: str, rng: np.random.Generator) -> str:
    """Dress a command as people do; sometimes capitalised."""
    sentence = pick(_PREFIXES, rng) + sentence + pick(_SUFFIXES, rng)
    return sentence.capitalize() if rng.random() < 0.2 else sentence


def fill(template: str, words: Mapping[str, tuple[str, ...]], rng: np.random.Generator) -> str:
    """`template` with a random word in every slot of `words`; other slots stay as they are."""
    for slot in slots(template, words):
        template = template.replace(f"{{{slot}}}", pick(words[slot], rng), 1)
    return template


def fillings(template: str, words: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Everything that `fill` can make of `template`."""
    found = slots(template, words)
    for choice in itertools.product(*(dict.fromkeys(words[slot]) for slot in found)):
        sentence = template
        for slot, word in zip(found, choice, strict=True):
            sentence = sentence.replace(f"{{{slot}}}", word, 1)
        yield sentence


def slots(template: str, words: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The slots of `template` that `words` fill, in order."""
    return [slot for slot in re.findall(r"{(\w+)}", template) if slot in words]


def bare(sentence: str) -> str:
    """A sentence without the politeness that `polite` may add: what a template must not share."""
    prefixes = sorted({p for p in _PREFIXES if p}, key=len, reverse=True)
    suffixes = sorted({s for s in _SUFFIXES if s}, key=len, reverse=True)
    while True:
        start = next((p for p in prefixes if sentence.startswith(p)), "")
        end = next((s for s in suffixes if sentence.endswith(s)), "")
        if not start and not end:
            return sentence
        sentence = sentence.removeprefix(start).removesuffix(end)


def pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    """One of `options`; what stands there twice comes twice as often."""
    return options[rng.integers(len(options))]
