# SPDX-License-Identifier: Apache-2.0
"""A scene in words: what is seen, each with its name and its place, so that a language model can read the table.

"red block d4, blue block on red block, green bowl f2": from left to right, what is in or on a thing behind it. Places
are named as on a chess board: letters from left to right, digits from the arm to the camera.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from embodied.language.nouns import listed, with_article
from embodied.things import THINGS

COLUMN_M, LEFT_M, COLUMNS = 0.16 / 3, -0.24, "abcdefghi"
"""Width of a column, and the left end of the first one (y, m): three columns lie left, three in the middle."""
ROW_M, BACK_M, ROWS = 0.05, 0.35, 6
"""Depth of a row, and the back of the first one (x, m)."""
THIRD_M, HALF_M = 0.08, 0.5
"""Left and right begin so far from the middle, the front so far from the arm; the picture's left is -y."""
NOTHING = "nothing"
UNNAMED = "other"
"""Stands for a colour that has no name."""


@dataclass(frozen=True, kw_only=True)
class Entity:
    """Something that is seen."""

    colour: str  # UNNAMED where it has no name
    kind: str
    place_m: tuple[float, float]  # x, y on the table
    on: int | None = None  # the number of the one that it is in or on
    point: tuple[float, float] | None = None  # (u, v), fractions of the picture; None where nobody saw it in one

    @property
    def name(self) -> str:
        """Colour and kind."""
        return f"{self.colour} {self.kind}"


def told(entities: Sequence[Entity]) -> str:
    """All of them in words."""
    order = sorted(range(len(entities)), key=lambda number: entities[number].place_m[1])
    words = [each for number in order if entities[number].on is None for each in _told(number, entities, order)]
    return ", ".join(words) or NOTHING


def the(entity: Entity) -> str:
    """A thing that is the only one meant: "the red block"."""
    return f"the {entity.name}"


def several(entities: Sequence[Entity]) -> str:
    """Things as they are named for the first time, leftmost first: "a red block and a blue bowl"."""
    names = [with_article(each.name) for each in sorted(entities, key=lambda each: each.place_m[1])]
    return listed(names) if names else NOTHING


def held_by(holder: Entity, entities: Sequence[Entity]) -> list[Entity]:
    """What is on a thing; of what is hollow, all that is in it, what lies on that too."""
    direct = [each for each in entities if each.on is not None and entities[each.on] is holder]
    if "in" not in THINGS.get(holder.kind).holds:
        return direct
    return [*direct, *(above for each in direct for above in held_by(each, entities))]


def place_in_words(entity: Entity, entities: Sequence[Entity]) -> str:
    """In or on what a thing is, or in which of six regions of the table: "on the left at the front"."""
    if entity.on is None:
        return region(entity.place_m)
    holder = entities[entity.on]
    return f"{_in_or_on(holder)} {the(holder)}"


def region(place_m: tuple[float, float]) -> str:
    """A region of the table, as the front camera sees it."""
    x, y = place_m
    side = "in the middle" if abs(y) < THIRD_M else "on the left" if y < 0.0 else "on the right"
    return f"{side} at the {'front' if x > HALF_M else 'back'}"


def square(place_m: tuple[float, float]) -> str:
    """The name of a place on the table; what is beside the board is on its edge."""
    x, y = place_m
    column = min(max(math.floor((y - LEFT_M) / COLUMN_M), 0), len(COLUMNS) - 1)
    row = min(max(math.floor((x - BACK_M) / ROW_M), 0), ROWS - 1)
    return f"{COLUMNS[column]}{row + 1}"


def _told(number: int, entities: Sequence[Entity], order: Sequence[int]) -> list[str]:
    """One and, behind it, what is in or on it."""
    entity = entities[number]
    place = square(entity.place_m)
    if entity.on is not None:
        holder = entities[entity.on]
        place = f"{_in_or_on(holder)} {holder.name}"
    above = [each for other in order if entities[other].on == number for each in _told(other, entities, order)]
    return [f"{entity.name} {place}", *above]


def _in_or_on(holder: Entity) -> str:
    return "in" if "in" in THINGS.get(holder.kind).holds else "on"
