# SPDX-License-Identifier: Apache-2.0
"""Windows of a picture, and what lies within each in words: pairs to learn which words are of which picture.

"a red block at the back left, a blue bowl at the front middle, a green block in the blue bowl". Of one thing alone the
name is enough: "a red block".
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from embodied.data.sample import Seen
from embodied.errors import EmbodiedError
from embodied.things import THINGS

ONE_THING = 0.25
"""Side of a window around one thing, as a share of the picture's: a bowl or a zone fills half of it."""
WHOLE_SHARE = 0.3
"""Of the windows: the whole picture. The others are of any size down to that of one thing."""
_OFF_MIDDLE = 0.3
"""How far from the middle of a window the thing is that it was opened on, as a share of the side."""
_PLACE_SHARE, _COLOUR_SHARE = 0.2, 0.5
"""Of wrong captions: wrong in places, and in places or a colour; the others are wrong in a kind."""
_OPENINGS = ("", "a picture of ", "there is ", "on the table is ")
_JOINS = (", ", " and ")
_ACROSS, _ALONG = ("left", "middle", "right"), ("back", "front")
_NOTHING = "nothing"
_W = TypeVar("_W")
_WORD = re.compile(r"[a-z]+|,")


class Window(NamedTuple):
    """A square part of a picture, as fractions of its side."""

    left: float
    top: float
    side: float


WHOLE = Window(0.0, 0.0, 1.0)


class Caption(NamedTuple):
    """What lies in a window."""

    text: str
    meaning: tuple[str, ...]  # what is said of each thing, whatever the order and the words around it


def around(thing: Seen, side: float = ONE_THING, shift: tuple[float, float] = (0.0, 0.0)) -> Window:
    """The window of that side with `thing` in its middle, or `shift` sides off it, as far as the picture goes."""
    corner = (at - (0.5 + off) * side for at, off in zip((thing.u, thing.v), shift, strict=True))
    left, top = (min(max(start, 0.0), 1.0 - side) for start in corner)
    return Window(left, top, side)


def some_window(thing: Seen, rng: np.random.Generator) -> Window:
    """A window with `thing` in it, often the whole picture, more often small."""
    if rng.random() < WHOLE_SHARE:
        return WHOLE
    least = 0.9 * ONE_THING
    side = least ** (1.0 - rng.random() ** 2)
    across, along = rng.uniform(-_OFF_MIDDLE, _OFF_MIDDLE, 2)
    return around(thing, side, (across, along))


def within(things: Sequence[Seen], window: Window) -> tuple[Seen, ...]:
    """Those whose middle lies in `window`, with their places in it."""
    places = [((each.u - window.left) / window.side, (each.v - window.top) / window.side) for each in things]
    inside = [number for number, place in enumerate(places) if all(0.0 <= at < 1.0 for at in place)]
    return tuple(
        replace(
            things[number],
            u=places[number][0],
            v=places[number][1],
            on=inside.index(on) if (on := things[number].on) in inside else None,
        )
        for number in inside
    )


def caption(things: Sequence[Seen], rng: np.random.Generator) -> Caption:
    """What is seen, in any order. Each thing is told once, with its place or what it is in or on."""
    told = _phrases(things)
    opening, join = (str(rng.choice(each)) for each in (_OPENINGS, _JOINS))
    return Caption(opening + join.join(told[i] for i in rng.permutation(len(told))), tuple(sorted(told)))


def altered(things: Sequence[Seen], others: Sequence[Seen], rng: np.random.Generator) -> tuple[Seen, ...]:
    """`things` told wrong: one has the kind or the colour of one of `others`, or two have changed places.

    A caption that is wrong in a word makes one read word by word (Yuksekgonul et al. 2023, section 4). Its words are as
    frequent as those of right ones: otherwise they alone would give it away. Where no other is said, it stays right.
    """
    found, one, other = [*things], *(int(number) for number in rng.integers(len(things), size=2))
    here, there = things[one], things[other]
    change = rng.random()
    if change < _PLACE_SHARE and here.on is None and there.on is None:
        found[one], found[other] = replace(here, u=there.u, v=there.v), replace(there, u=here.u, v=here.v)
    elif change < _COLOUR_SHARE:
        colours = [each.colour for each in others if each.colour not in (None, here.colour)]
        found[one] = replace(here, colour=_one_of(colours, here.colour, rng))
    if meaning(found) == meaning(things):
        kinds = [each.kind for each in others if each.kind != here.kind]
        found = [*things]
        found[one] = replace(here, kind=_one_of(kinds, here.kind, rng))
    return tuple(found)


def _one_of(words: Sequence[_W], otherwise: _W, rng: np.random.Generator) -> _W:
    return words[int(rng.integers(len(words)))] if words else otherwise


def meaning(things: Sequence[Seen]) -> tuple[str, ...]:
    """What a caption says of each, in alphabetical order."""
    return tuple(sorted(_phrases(things)))


def called(colour: str | None, kind: str, article: str = "") -> str:
    """A name with its article: "an orange block", or "the orange block"."""
    name = kind if colour is None else f"{colour} {kind}"
    return f"{article or ('an' if name[0] in 'aeiou' else 'a')} {name}"


def _phrases(things: Sequence[Seen]) -> list[str]:
    if len(things) == 1:
        return [called(things[0].colour, things[0].kind)]
    return [_told(each, things) for each in things] or [_NOTHING]


def _told(thing: Seen, things: Sequence[Seen]) -> str:
    if thing.on is None:
        across, along = _ACROSS[int(3 * thing.u)], _ALONG[int(2 * thing.v)]
        return f"{called(thing.colour, thing.kind)} at the {along} {across}"
    holder = things[thing.on]
    where = "in" if "in" in THINGS.get(holder.kind).holds else "on"
    return f"{called(thing.colour, thing.kind)} {where} {called(holder.colour, holder.kind, 'the')}"


def split(text: str) -> list[str]:
    """Its words, in small letters; a comma is one."""
    return _WORD.findall(text.lower())


class Words:
    """Every word that captions of things of some colours and kinds are made of, by number; 0 is none."""

    def __init__(self, colours: Iterable[str], kinds: Iterable[str]) -> None:
        said = (*_OPENINGS, *_JOINS, *_ACROSS, *_ALONG, _NOTHING, "a an the at in on", *colours, *kinds)
        self._number = {
            word: number for number, word in enumerate(sorted({w for each in said for w in split(each)}), 1)
        }

    def __len__(self) -> int:
        """How many numbers there are, with that of none."""
        return len(self._number) + 1

    def ids(self, texts: Sequence[str]) -> Tensor:
        """(B, L) int64. Raises EmbodiedError for a word that no caption has."""
        rows = [split(text) for text in texts]
        if unknown := sorted({word for row in rows for word in row} - self._number.keys()):
            what = f"no caption of the training data has the word {unknown[0]!r}"
            raise EmbodiedError(f"{what}; it has: {', '.join(self._number)}")
        numbers = [torch.tensor([self._number[word] for word in row], dtype=torch.int64) for row in rows]
        return torch.nn.utils.rnn.pad_sequence(numbers, batch_first=True)


def crop(pictures: Tensor, windows: Sequence[Window]) -> Tensor:
    """(B, S, S, 3) pictures to float ones of the same size, each of one window, in [0, 255]."""
    maps = [[[w.side, 0.0, 2 * w.left + w.side - 1], [0.0, w.side, 2 * w.top + w.side - 1]] for w in windows]
    planes = pictures.permute(0, 3, 1, 2).float()
    grid = torch.nn.functional.affine_grid(
        torch.tensor(maps, dtype=torch.float32), list(planes.shape), align_corners=False
    )
    cut = torch.nn.functional.grid_sample(planes, grid, padding_mode="border", align_corners=False)
    return cut.permute(0, 2, 3, 1)
