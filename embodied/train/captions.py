# SPDX-License-Identifier: Apache-2.0
"""Windows of a picture, and what lies within each in words: pairs to learn which words are of which picture.

"a red block at the back left, a blue bowl at the front middle, a green block in the blue bowl". Of one thing alone the
name is enough: "a red block".
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from embodied.data.sample import Seen
from embodied.errors import EmbodiedError
from embodied.language.nouns import with_article
from embodied.things import THINGS

ONE_THING = 0.25
"""Side of a window around one thing, as a share of the picture's: a bowl or a zone fills half of it."""
WHOLE_SHARE = 0.3
"""Of the windows: the whole picture. The others are of any size down to that of one thing."""
_OFF_MIDDLE = 0.3
"""How far from the middle of a window the thing is that it was opened on, as a share of the side."""
_WRONG_IN = ("kind", "colour", "place")
_SHARES = (0.5, 0.3, 0.2)
"""In what captions are wrong, and how often that is tried first: colours alone tell most scenes apart."""
_OPENINGS = ("", "a picture of ", "there is ", "on the table is ")
_JOINS = (", ", " and ")
_ACROSS, _ALONG = ("left", "middle", "right"), ("back", "front")
_NOTHING = "nothing"
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


def mirrored(things: Sequence[Seen]) -> tuple[Seen, ...]:
    """The things as a mirror shows them, at the same height."""
    return tuple(replace(each, u=math.nextafter(1.0, 0.0) - each.u) for each in things)


def stands_alone(number: int, things: Sequence[Seen]) -> bool:
    """Whether a thing has a colour, nothing in or on it, and a window around it for itself: what that shows, or a word
    of its name stands for, is then one thing."""
    thing = things[number]
    holds = any(each.on == number for each in things)
    return thing.colour is not None and not holds and len(within(things, around(thing))) == 1


def caption(things: Sequence[Seen], rng: np.random.Generator) -> Caption:
    """What is seen, in any order. Each thing is told once, with its place or what it is in or on."""
    told = _phrases(things)
    opening, join = (str(rng.choice(each)) for each in (_OPENINGS, _JOINS))
    return Caption(opening + join.join(told[i] for i in rng.permutation(len(told))), tuple(sorted(told)))


def altered(things: Sequence[Seen], others: Sequence[Seen], rng: np.random.Generator) -> tuple[Seen, ...]:
    """`things` told wrong: two have changed colours, kinds or places; else one has a colour or kind of the `others`.

    A caption that is wrong in a word makes one read word by word (Yuksekgonul et al. 2023, section 4). Words alone must
    not give it away: each is as frequent as in right ones, no name is there twice that was not, and what is in or on
    something else keeps its kind, and so does that. Where nothing of that sort is wrong, it stays right.
    """
    right, twice = meaning(things), _twice(things)
    for what in rng.choice(_WRONG_IN, len(_WRONG_IN), replace=False, p=_SHARES):
        replaced = () if what == "place" else _replaced(things, others, str(what))
        for ways in (_swapped(things, str(what)), replaced):
            wrong = [way for way in ways if meaning(way) != right and _twice(way) <= twice]
            if wrong:
                return wrong[int(rng.integers(len(wrong)))]
    return tuple(things)


def _swapped(things: Sequence[Seen], what: str) -> Iterator[tuple[Seen, ...]]:
    names = ("u", "v") if what == "place" else (what,)
    for one, other in combinations(range(len(things)), 2):
        if what == "colour" or not (_holds(one, things) or _holds(other, things)):
            found = [*things]
            for number, donor in ((one, other), (other, one)):
                found[number] = replace(things[number], **{name: getattr(things[donor], name) for name in names})
            yield tuple(found)


def _replaced(things: Sequence[Seen], others: Sequence[Seen], what: str) -> Iterator[tuple[Seen, ...]]:
    words = dict.fromkeys(getattr(other, what) for other in others)
    for number, thing in enumerate(things):
        if what == "colour" or not _holds(number, things):
            for word in words:
                if word is not None:
                    yield (*things[:number], replace(thing, **{what: word}), *things[number + 1 :])


def _holds(number: int, things: Sequence[Seen]) -> bool:
    """Whether a thing is in or on another one, or another one in or on it."""
    return things[number].on is not None or any(each.on == number for each in things)


def _twice(things: Sequence[Seen]) -> int:
    """How many things have the name of another."""
    return len(things) - len({(each.colour, each.kind) for each in things})


def meaning(things: Sequence[Seen]) -> tuple[str, ...]:
    """What a caption says of each, in alphabetical order."""
    return tuple(sorted(_phrases(things)))


def called(colour: str | None, kind: str, article: str = "") -> str:
    """A name with its article: "an orange block", or "the orange block"."""
    name = kind if colour is None else f"{colour} {kind}"
    return f"{article} {name}" if article else with_article(name)


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
