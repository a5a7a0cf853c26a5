# SPDX-License-Identifier: Apache-2.0
"""Scenes told in captions, for a head that learns what belongs together: a whole picture with captions that are true,
wrong or lack a word; or one with a hole, and a caption of all that was there.

One side is masked at a time (conditional masking; UNITER, Chen et al. 2020, section 3.2): a thing of which nobody tells
and which nobody sees cannot be known.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from embodied.data.sample import Command, Lesson, Sample, Seen
from embodied.language.nouns import Noun
from embodied.train.captions import Window, altered, around, caption, meaning, stands_alone
from embodied.types import Observation

UNSAID = "something"
"""What a caption says in place of a word that it leaves out: "a something block", "a red something"."""
EACH = 2
"""Captions of a whole picture that are true, as many that are wrong, and as many that lack a word."""
_HOLES = 0.5
"""Of the pictures in which there is a thing to be hidden."""


def told(samples: Sequence[Sample], reading: str, rng: np.random.Generator) -> list[Sample]:
    """The samples, each with one more: the same moment in captions of the picture `reading`, where things are known.

    Wrong captions are wrong in a word that is said of another of these pictures, or in two places.
    """
    every = [thing for sample in samples for thing in sample.things or ()]
    return [replace(sample, told=_told(sample, reading, every, rng)) for sample in samples]


def _told(sample: Sample, reading: str, every: Sequence[Seen], rng: np.random.Generator) -> Sample | None:
    things = sample.things
    if not things:
        return None
    alone = [number for number in range(len(things)) if stands_alone(number, things)]
    if alone and rng.random() < _HOLES:
        thing = things[int(rng.choice(alone))]
        assert thing.colour is not None
        seen = tuple(holed(each, reading, around(thing)) for each in sample.observations)
        return Sample(observations=seen, commands=(_said(things, Noun(thing.colour, thing.kind), rng),))
    said = [_said(things, True, rng) for _ in range(EACH)]
    for wrong in (altered(things, every, rng) for _ in range(EACH)):
        said.append(_said(wrong, meaning(wrong) == meaning(things), rng))
    said += [_said(*without_word(things, int(rng.choice(alone)), rng), rng) for _ in range(EACH if alone else 0)]
    return Sample(observations=sample.observations, commands=tuple(said))


def _said(things: Sequence[Seen], lesson: Lesson, rng: np.random.Generator) -> Command:
    return Command(text=caption(things, rng).text, lesson=lesson)


def without_word(things: Sequence[Seen], number: int, rng: np.random.Generator) -> tuple[tuple[Seen, ...], str]:
    """The things, of which one has UNSAID for its colour or its kind, and the word that was there."""
    thing = things[number]
    if thing.colour is not None and rng.random() < 0.5:
        word, without = thing.colour, replace(thing, colour=UNSAID)
    else:
        word, without = thing.kind, replace(thing, kind=UNSAID)
    return (*things[:number], without, *things[number + 1 :]), word


def holed(observation: Observation, reading: str, window: Window) -> Observation:
    """What was seen, with zeros for the pixels in a window of one picture.

    Pixels, and not tokens: those of most encoders have seen what lies around their cell.
    """
    picture = observation.picture(reading)
    rgb, size = picture.rgb.copy(), np.array(picture.rgb.shape[:2])
    start = np.floor(np.array([window.top, window.left]) * size).astype(int)
    end = np.ceil(np.array([window.top + window.side, window.left + window.side]) * size).astype(int)
    rgb[start[0] : end[0], start[1] : end[1]] = 0
    return replace(observation, readings={**observation.readings, reading: replace(picture, rgb=rgb)})
