# SPDX-License-Identifier: Apache-2.0
"""What a picture shows, thing by thing, so that the sentence can name each (PaLM-E's entities, section 4).

A reading of the encoder's grid, trained with it on rendered scenes: each cell tells of at most `SLOTS` things whose
middle lies near it, what lies below first. What is found is told to the language model in words, and all of its layers
read them, those below too, which read no pictures.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from embodied.data.sample import Seen
from embodied.language.seen import UNNAMED, Entity
from embodied.model.heads.grid import around, levels_of, point_of

SLOTS = 3
LEVELS = 4
"""On the table, on or in what stands there, and so on; the last stands for all above it."""
FOUND = 0.55
"""Least probability of a thing with its kind and its colour."""
SAME_M, TABLE_M, CROWDED_M, ON_M = 0.05, 0.05, 0.025, 0.08
"""What is found so close to another of its name is that one. So close to each other on the table, or in what holds
them, no two things are. What is on a thing is at most so far from its middle."""
_NEAR = 0.2
"""A cell tells of a thing from this bilinear weight on; some cell always has more."""
_EMPTY = 0.4
"""What a slot in which there is nothing weighs: they are many."""

WEIGHTS = {"kind": 1.0, "colour": 1.0, "level": 0.5, "offset": 2.0}
"""What each part of the loss weighs."""


class Told(NamedTuple):
    """What the cells of B pictures tell, T cells of SLOTS things each."""

    colour: Tensor  # (B, T, S, colours + 1) logits, the last: a colour without a name
    kind: Tensor  # (B, T, S, kinds + 1) logits, the last: nothing
    level: Tensor  # (B, T, S, LEVELS) logits
    offset: Tensor  # (B, T, S, 2) from the middle of the cell, in cells


class Wanted(NamedTuple):
    """What the cells of one picture should tell."""

    kind: Tensor  # (T, S) int, the number of kinds for nothing
    colour: Tensor  # (T, S) int, the number of colours for one without a name
    level: Tensor  # (T, S) int
    offset: Tensor  # (T, S, 2)


class Entities(nn.Module):
    """Reads (B, T, `feature_dim`) features on a grid of T = rows x columns cells."""

    where: Tensor  # (1, 2, rows, columns), from -1 to 1
    table_m: Tensor  # (6, 2) from terms of a place in the picture to x, y on the table

    def __init__(
        self,
        grid: tuple[int, int],
        feature_dim: int,
        colours: Sequence[str],
        kinds: Sequence[str],
        hidden: int = 128,
    ) -> None:
        super().__init__()
        self.grid, self.colours, self.kinds = grid, tuple(colours), tuple(kinds)
        self._sizes = [len(colours) + 1, len(kinds) + 1, LEVELS, 2]
        rows, columns = (torch.linspace(-1.0, 1.0, count) for count in grid)
        self.register_buffer("where", torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None], persistent=False)
        self.register_buffer("table_m", torch.zeros(6, 2))
        self.near = nn.Sequential(
            *(nn.Conv2d(feature_dim + 2, hidden, 3, padding=1), nn.SiLU()),
            *(nn.Conv2d(hidden, hidden, 3, padding=1), nn.SiLU()),
        )
        self.tell = nn.Conv2d(hidden + 2, SLOTS * sum(self._sizes), 1)

    @property
    def told(self) -> dict[str, str]:
        """What the file of its weights says of them: which kinds and colours its numbers stand for."""
        return {"kinds": ",".join(self.kinds), "colours": ",".join(self.colours)}

    def forward(self, features: Tensor) -> Told:
        """What every cell tells."""
        dtype, where = self.tell.weight.dtype, self.where.expand(len(features), -1, -1, -1)
        planes = features.to(dtype).transpose(1, 2).reshape(len(features), -1, *self.grid)
        # Convolutions do not know where they are (Liu et al. 2018, CoordConv), and far things are small.
        out = self.tell(torch.cat([self.near(torch.cat([planes, where], dim=1)), where], dim=1))
        out = out.float().flatten(2).transpose(1, 2)
        return Told(*out.reshape(*out.shape[:2], SLOTS, -1).split(self._sizes, dim=-1))

    def fit(self, things: Iterable[Seen]) -> None:
        """Learn from things whose place is known where on the table a place in the picture is."""
        known = [(thing.u, thing.v, *thing.place_m) for thing in things if thing.place_m is not None]
        if known:
            u, v, x, y = torch.tensor(known, dtype=torch.float64).unbind(dim=1)
            solved = torch.linalg.lstsq(_terms(u, v), torch.stack([x, y], dim=1), driver="gelsd").solution
            self.table_m.copy_(solved)

    @torch.no_grad()
    def found(self, features: Tensor) -> list[tuple[Entity, ...]]:
        """The things in each picture, what lies below first."""
        told = self(features)
        kind, colour = told.kind.softmax(dim=-1), told.colour.softmax(dim=-1)
        surely, which = kind[..., :-1].max(dim=-1)
        tinted, tint = colour.max(dim=-1)
        certain = surely * tinted
        level = told.level.argmax(dim=-1)
        found = list[tuple[Entity, ...]]()
        for row in range(len(features)):
            cells = [tuple(map(int, at)) for at in (certain[row] > FOUND).nonzero()]
            cells.sort(key=lambda at: -float(certain[row][at]))
            things = list[_Thing]()
            for at in cells:
                name = (*self.colours, UNNAMED)[int(tint[row][at])], self.kinds[int(which[row][at])]
                point = point_of(at[0], told.offset[row][at].tolist(), self.grid)
                one = _Thing(*name, int(level[row][at]), self._place_m(point), point)
                if not any(one.is_same(other) for other in things):
                    things.append(one)
            found.append(_standing(sorted(things, key=lambda thing: thing.level)))
        return found

    def _place_m(self, point: tuple[float, float]) -> tuple[float, float]:
        """Where on the table is what lies at a point of the picture."""
        u, v = torch.tensor([point], dtype=torch.float64).unbind(dim=1)
        [[x, y]] = (_terms(u, v) @ self.table_m.double().cpu()).tolist()
        return x, y

    def losses(self, features: Tensor, wanted: Sequence[Wanted]) -> dict[str, Tensor]:
        """Parts of the loss on B pictures, as in WEIGHTS, and how much of it is right."""
        told = self(features)
        kind, colour, level, offset = (torch.stack(each).to(told.kind.device) for each in zip(*wanted, strict=True))
        there = kind < len(self.kinds)
        entropy = nn.functional.cross_entropy
        weight = torch.where(there, 1.0, _EMPTY)
        each = entropy(told.kind.flatten(0, 2), kind.flatten(), reduction="none")
        parts = {"kind": (each * weight.flatten()).sum() / weight.sum()}
        if not there.any():
            return parts
        right = (told.kind[there].argmax(-1) == kind[there]) & (told.colour[there].argmax(-1) == colour[there])
        return parts | {
            "colour": entropy(told.colour[there], colour[there]),
            "level": entropy(told.level[there], level[there]),
            "offset": nn.functional.smooth_l1_loss(told.offset[there], offset[there], beta=0.05),
            "named": right.float().mean().detach(),
            "levelled": (told.level[there].argmax(-1) == level[there]).float().mean().detach(),
            "offset_cells": (told.offset[there] - offset[there]).norm(dim=-1).median().detach(),
        }

    def wanted(self, things: Sequence[Seen]) -> Wanted:
        """What the cells should tell of one picture."""
        cells, slots = self.grid[0] * self.grid[1], SLOTS
        kind, colour = torch.full((cells, slots), len(self.kinds)), torch.zeros(cells, slots, dtype=torch.long)
        level, offset = torch.zeros(cells, slots, dtype=torch.long), torch.zeros(cells, slots, 2)
        levels, taken = levels_of(things), [0] * cells
        for number in sorted(range(len(things)), key=lambda number: (levels[number], things[number].u)):
            thing = things[number]
            near = around(thing.u, thing.v, self.grid)
            for cell, weight, away in zip(near.cells.tolist(), near.weights.tolist(), near.offsets, strict=True):
                if weight < _NEAR or taken[cell] == slots:
                    continue
                at = (cell, taken[cell])
                taken[cell] += 1
                kind[at] = self.kinds.index(thing.kind)
                colour[at] = len(self.colours) if thing.colour is None else self.colours.index(thing.colour)
                level[at], offset[at] = min(levels[number], LEVELS - 1), away
        return Wanted(kind, colour, level, offset)


class _Thing(NamedTuple):
    colour: str
    kind: str
    level: int
    place_m: tuple[float, float]
    point: tuple[float, float]

    def is_same(self, other: "_Thing") -> bool:
        """Whether two cells tell of one thing."""
        away_m = math.dist(self.place_m, other.place_m)
        if (self.colour, self.kind) == (other.colour, other.kind) and away_m <= SAME_M:
            return True
        # Things stand on each other, and not in each other.
        return self.level == other.level and away_m < (CROWDED_M if self.level else TABLE_M)


def _standing(things: Sequence[_Thing]) -> tuple[Entity, ...]:
    """Each with the one that it is in or on, of those below it: the nearest of the level below, or what there is."""
    entities = list[Entity]()
    for number, thing in enumerate(things):
        below = [
            (-other.level, math.dist(thing.place_m, other.place_m), i)
            for i, other in enumerate(things[:number])
            if other.level < thing.level and math.dist(thing.place_m, other.place_m) < ON_M
        ]
        on = min(below)[2] if below else None
        called = {"colour": thing.colour, "kind": thing.kind}
        entities.append(Entity(**called, place_m=thing.place_m, on=on, point=thing.point))
    return tuple(entities)


def _terms(u: Tensor, v: Tensor) -> Tensor:
    """(N, 6) the terms of a parabola: what a camera bends, over a table, to a few millimetres."""
    return torch.stack([torch.ones_like(u), u, v, u * u, u * v, v * v], dim=-1)
