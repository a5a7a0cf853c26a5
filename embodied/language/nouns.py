# SPDX-License-Identifier: Apache-2.0
"""Things as words name them, and how words are put together in English."""

from collections.abc import Sequence
from dataclasses import dataclass

from embodied.language.vocabulary import NUMBERS
from embodied.things import THINGS, Thing


@dataclass(frozen=True)
class Noun:
    """A thing as words name it: "red block"; where one is asked which is meant, its colour may be missing."""

    colour: str
    kind: str

    def __str__(self) -> str:
        return f"{self.colour} {self.kind}".strip()

    @property
    def thing(self) -> Thing:
        """What it is. Raises UnknownNameError for a kind that is not registered."""
        return THINGS.get(self.kind)


def in_words(count: int) -> str:
    """A number as it is said: "two", and figures for what is more than a dozen."""
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def listed(words: Sequence[str]) -> str:
    """Words, at least one, as people list them: "red, green and blue"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def with_article(words: str) -> str:
    """Words with the article that they take: "an open box"."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
