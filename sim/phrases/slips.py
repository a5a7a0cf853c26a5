# SPDX-License-Identifier: Apache-2.0
"""Slips of those who type and speak: letters that change places or are missing, articles left out, words of hesitation.

What is left can still be read: a word loses at most one letter or has two of them changed over, and never its first.
"""

import numpy as np

from sim.phrases import pick

_ARTICLES = ("the", "a", "an", "that", "this")
_HESITATIONS = ("um", "uh", "er", "well", "so", "like", "hmm", "let me see", "you know", "erm")
_NEIGHBOURS = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuioppsdfghjkllxcvbnmm", strict=True))
_SHORTEST = 4
"""Letters of a word that may be mistyped: of a shorter one too little would be left."""


def slip(words: str, rng: np.random.Generator) -> str:
    """The same words as somebody in a hurry types them, or says them while thinking."""
    for change in rng.permutation(4)[: rng.integers(1, 3)]:
        words = (_mistyped, _without_articles, _hesitating, _cased)[change](words, rng)
    return words


def _mistyped(words: str, rng: np.random.Generator) -> str:
    parts = words.split()
    long = [i for i, part in enumerate(parts) if len(part) >= _SHORTEST and part.isalpha()]
    for i in rng.permutation(long)[: rng.integers(1, 3)]:
        parts[i] = _misspelt(parts[i], rng)
    return " ".join(parts)


def _misspelt(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(1, len(word) - 1))
    before, letter, after = word[:at], word[at], word[at + 1 :]
    return (
        before + after,  # one is missing
        before + letter + letter + after,  # one stands twice
        before + after[0] + letter + after[1:],  # two have changed places
        before + _NEIGHBOURS.get(letter, letter) + after,  # the key beside it was hit
    )[rng.integers(4)]


def _without_articles(words: str, rng: np.random.Generator) -> str:
    left = [word for word in words.split() if word not in _ARTICLES]
    return " ".join(left) if left else words


def _hesitating(words: str, rng: np.random.Generator) -> str:
    parts = words.split()
    at = int(rng.integers(len(parts)))
    return " ".join([*parts[:at], f"{pick(_HESITATIONS, rng)},", *parts[at:]])


def _cased(words: str, rng: np.random.Generator) -> str:
    return (words.upper(), words.title(), words.capitalize())[rng.integers(3)]
