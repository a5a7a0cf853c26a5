# SPDX-License-Identifier: Apache-2.0
"""How people say things: noun phrases, politeness, and which words are held out of training.

`paraphrase` uses a held-out template of the task and, half of the time, a held-out noun for each
thing. Nothing in HELD_OUT_NOUNS, nor any held-out template, is ever in training data.
"""

import numpy as np

from embodied.plan import Thing

NOUNS: dict[str, tuple[str, ...]] = {
    "block": ("block", "block", "block", "cube", "toy block", "square block", "piece", "building block"),
    "bowl": ("bowl", "bowl", "bowl", "basin", "cup", "container", "round bowl", "pot"),
    "zone": ("zone", "zone", "zone", "area", "region", "square", "pad", "patch", "target"),
}
HELD_OUT_NOUNS: dict[str, tuple[str, ...]] = {
    "block": ("brick", "wooden cube"),
    "bowl": ("dish", "vessel"),
    "zone": ("spot", "mat"),
}

_NOUN_PHRASES = (
    *("the {colour} {noun}",) * 8,
    *("{colour} {noun}",) * 2,
    "that {colour} {noun}",
    "the {noun} that is {colour}",
    "the {colour} coloured {noun}",
    "the {noun} which is {colour}",
)
_PREFIXES = (*("",) * 10, "please ", "now ", "can you ", "could you ", "robot, ", "i want you to ", "go and ")
_SUFFIXES = (*("",) * 8, " please", " now", ".", " for me", "!")


def noun_phrase(thing: Thing, rng: np.random.Generator, *, held_out: bool = False) -> str:
    """One way to name `thing`; with `held_out`, half of the time by a word that training never saw."""
    nouns = NOUNS[thing.kind]
    if held_out and rng.random() < 0.5:
        nouns = HELD_OUT_NOUNS[thing.kind]
    pattern = _NOUN_PHRASES[rng.integers(len(_NOUN_PHRASES))]
    return pattern.format(colour=thing.colour, noun=nouns[rng.integers(len(nouns))])


def polite(sentence: str, rng: np.random.Generator) -> str:
    """Dress a command as people do; sometimes capitalised."""
    sentence = _PREFIXES[rng.integers(len(_PREFIXES))] + sentence + _SUFFIXES[rng.integers(len(_SUFFIXES))]
    return sentence.capitalize() if rng.random() < 0.2 else sentence
