# SPDX-License-Identifier: Apache-2.0
"""Reading rendered scenes: pictures, labels on the token grid, commands with their plans."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from embodied.errors import EmbodiedError
from embodied.language.verbs import Noun, Plan, parse_plan

UNNAMED = -100
"""The colour label of a thing whose colour has no name; cross-entropy leaves it out."""

NAMED_WEIGHT = 0.12
"""A cell is named after the object whose bilinear weight on it exceeds this."""


class Labels(NamedTuple):
    """What the simulator knows of one picture, on a grid of T = rows x columns cells."""

    colour: Tensor  # (T,) int, the number of colours for nothing, UNNAMED for a colour without a name
    kind: Tensor  # (T,) int, the number of kinds for nothing
    offset: Tensor  # (T, 2) from the cell's centre to the object's, in cells
    weight: Tensor  # (T,) bilinear weight of the object on the cell


class Place(NamedTuple):
    """Where an object stands on the grid: the cells around it, their weights and offsets."""

    cells: Tensor  # (4,) int
    weights: Tensor  # (4,), sum 1
    offsets: Tensor  # (4, 2), in cells


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


class GroundingData:
    """A folder written by the simulator: `pictures.npy`, `scenes.jsonl`, `meta.json`."""

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        for name in ("pictures.npy", "scenes.jsonl", "meta.json"):
            if not (folder / name).is_file():
                recipe = f"embodied collect task=grounding out={folder}"
                raise EmbodiedError(f"no {name} in {folder}; make it with: {recipe}")
        self.pictures: NDArray[np.uint8] = np.load(folder / "pictures.npy", mmap_mode="r", allow_pickle=False)
        with (folder / "scenes.jsonl").open() as file:
            self.scenes = [json.loads(line) for line in file]
        meta = json.loads((folder / "meta.json").read_text())
        try:
            self.state = torch.tensor(meta["state"])
            self.words = {key: tuple(meta[key]) for key in ("verbs", "kinds", "colours", "other_colours")}
        except KeyError as error:
            raise EmbodiedError(f"{folder / 'meta.json'} lacks {error}: it is of an older kind; render again") from None
        self.colours, self.kinds = self.words["colours"], self.words["kinds"]
        if len(self.scenes) != len(self.pictures):
            has = f"{len(self.scenes)} of {len(self.pictures)} scenes"
            raise EmbodiedError(f"{folder} is incomplete: {has}; render again")

    def __len__(self) -> int:
        return len(self.scenes)

    def picture(self, indices: NDArray[np.int64]) -> Tensor:
        """(B, S, S, 3) uint8."""
        return torch.from_numpy(self.pictures[np.sort(indices)][np.argsort(np.argsort(indices))])

    def labels(self, index: int, rows: int, columns: int) -> Labels:
        """The labels of one picture on a grid."""
        colour = torch.full((rows * columns,), len(self.colours))
        kind = torch.full((rows * columns,), len(self.kinds))
        offset = torch.zeros(rows * columns, 2)
        weight = torch.zeros(rows * columns)
        for c, k, u, v in self.scenes[index]["objects"]:
            place = self.place(u, v, rows, columns)
            for cell, w, o in zip(place.cells.tolist(), place.weights.tolist(), place.offsets, strict=True):
                if w > max(float(weight[cell]), NAMED_WEIGHT):
                    colour[cell] = UNNAMED if c is None else c
                    kind[cell], offset[cell], weight[cell] = k, o, w
        return Labels(colour, kind, offset, weight)

    def place(self, u: float, v: float, rows: int, columns: int) -> Place:
        """The four cells around pixel (u, v), with bilinear weights."""
        size = self.pictures.shape[1]
        x = min(max(u * columns / size - 0.5, 0.0), columns - 1.001)
        y = min(max(v * rows / size - 0.5, 0.0), rows - 1.001)
        column, row = int(x), int(y)
        around = [(r, c) for r in (row, row + 1) for c in (column, column + 1)]
        cells = torch.tensor([r * columns + c for r, c in around])
        weights = torch.tensor([(1 - abs(x - c)) * (1 - abs(y - r)) for r, c in around])
        return Place(cells, weights, torch.tensor([(x - c, y - r) for r, c in around]))

    def commands(self, index: int) -> list[tuple[str, Plan]]:
        """The commands of one scene and the plans that answer them."""
        return [(text, parse_plan(plan)) for text, plan in self.scenes[index]["commands"]]

    def find(self, index: int, noun: Noun) -> tuple[float, float] | None:
        """Pixel of what `noun` names; None where the scene has no such thing."""
        for c, k, u, v in self.scenes[index]["objects"]:
            if c is not None and (self.colours[c], self.kinds[k]) == (noun.colour, noun.kind):
                return u, v
        return None
