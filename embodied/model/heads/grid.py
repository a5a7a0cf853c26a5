# SPDX-License-Identifier: Apache-2.0
"""What is known of a picture, on the grid of its tokens: the labels that pointing is trained on."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from embodied.data.sample import Seen

UNNAMED = -100
"""The colour label of a thing whose colour has no name; cross-entropy leaves it out."""

NAMED_WEIGHT = 0.12
"""A cell is named after the object whose bilinear weight on it exceeds this."""


class Labels(NamedTuple):
    """What is known of one picture, on a grid of T = rows x columns cells."""

    colour: Tensor  # (T,) int, the number of colours for nothing, UNNAMED for a colour without a name
    kind: Tensor  # (T,) int, the number of kinds for nothing
    offset: Tensor  # (T, 2) from the cell's centre to the object's, in cells
    weight: Tensor  # (T,) bilinear weight of the object on the cell


class Around(NamedTuple):
    """Where an object stands on the grid: the cells around it, their weights and offsets."""

    cells: Tensor  # (4,) int
    weights: Tensor  # (4,), sum 1
    offsets: Tensor  # (4, 2), in cells


def around(u: float, v: float, grid: tuple[int, int]) -> Around:
    """The four cells around the place at the fractions (u, v) of a picture, with bilinear weights."""
    rows, columns = grid
    x = min(max(u * columns - 0.5, 0.0), columns - 1.001)
    y = min(max(v * rows - 0.5, 0.0), rows - 1.001)
    column, row = int(x), int(y)
    cells = [(r, c) for r in (row, row + 1) for c in (column, column + 1)]
    return Around(
        cells=torch.tensor([r * columns + c for r, c in cells]),
        weights=torch.tensor([(1 - abs(x - c)) * (1 - abs(y - r)) for r, c in cells]),
        offsets=torch.tensor([(x - c, y - r) for r, c in cells]),
    )


def point_of(cell: int, offset: Sequence[float], grid: tuple[int, int]) -> tuple[float, float]:
    """(u, v), fractions of a picture, of what lies at an `offset` (2,) in cells from the middle of a cell: the inverse
    of `around`."""
    rows, columns = grid
    row, column = divmod(cell, columns)
    return (column + 0.5 + offset[0]) / columns, (row + 0.5 + offset[1]) / rows


def labels(things: Sequence[Seen], grid: tuple[int, int], colours: Sequence[str], kinds: Sequence[str]) -> Labels:
    """The labels of one picture; colours and kinds are counted as they are listed."""
    count = grid[0] * grid[1]
    colour, kind = torch.full((count,), len(colours)), torch.full((count,), len(kinds))
    offset, weight = torch.zeros(count, 2), torch.zeros(count)
    for thing in things:
        place = around(thing.u, thing.v, grid)
        for cell, w, o in zip(place.cells.tolist(), place.weights.tolist(), place.offsets, strict=True):
            if w > max(float(weight[cell]), NAMED_WEIGHT):
                colour[cell] = UNNAMED if thing.colour is None else colours.index(thing.colour)
                kind[cell], offset[cell], weight[cell] = kinds.index(thing.kind), o, w
    return Labels(colour, kind, offset, weight)


def in_layers(things: Sequence[Seen]) -> tuple[list[Seen], list[Seen]]:
    """Those that stand on the table, and those that are in or on others, uppermost first.

    Of two above each other in one cell the upper is labelled, unless the lower lies nearer to the cell's middle.
    """
    levels = levels_of(things)
    order = sorted(range(len(things)), key=lambda number: -levels[number])
    return [things[i] for i in order if not levels[i]], [things[i] for i in order if levels[i]]


def levels_of(things: Sequence[Seen]) -> list[int]:
    """How many things are below each."""

    def level(below: int | None) -> int:
        count = 0
        while below is not None and count < len(things):
            count, below = count + 1, things[below].on
        return count

    return [level(thing.on) for thing in things]


def naming_losses(colour_logits: Tensor, kind_logits: Tensor, labels: Labels, *, empty: float) -> tuple[Tensor, Tensor]:
    """Cross-entropies of the colour and the kind that each cell is called: logits (B, T, ...), labels (B, T).

    A cell where there is nothing weighs `empty`, which is little, since they are many.
    """
    weight = torch.where(labels.weight > 0, labels.weight.clamp_min(0.2), empty).flatten()

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        each = nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), target.flatten(), ignore_index=UNNAMED, reduction="none"
        )
        return (each * weight).sum() / weight.sum()

    return loss(colour_logits, labels.colour), loss(kind_logits, labels.kind)
