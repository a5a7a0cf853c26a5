# SPDX-License-Identifier: Apache-2.0
"""How things stand to each other, told half way up by the picture's tokens: a lesson, and no answer.

Which block is the leftmost, and whether there is another of its name, has to be known of a thing before the words that
ask for it can choose: the layers above the middle then find it written on the token.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from embodied.data.sample import Sample, Seen
from embodied.model.encoders import grid_of
from embodied.model.heads import HEADS, Head, Host
from embodied.model.heads.grid import around
from embodied.model.hidden import Hidden

RELATIONS = (
    *("alone of its name", "alone of its kind", "leftmost", "rightmost", "nearest", "farthest"),
    "where another one is",
)
_CLOSE = 0.03
"""As a share of the picture: so close to another thing's place is in or on it, who leads by less leads by little."""
_UNSURE = -1.0


class Relations(Head):
    """Of each thing in the picture `sense`, which of RELATIONS hold."""

    weights: ClassVar[Mapping[str, float]] = {"facts": 0.5}
    answers, learns_half_way = False, True

    def __init__(self, host: Host, *, sense: str = "front") -> None:
        super().__init__(host)
        self.sense, self.grid = sense, grid_of(host.encoders, sense, "say what stands where")
        self.read = nn.Sequential(nn.RMSNorm(host.dim), nn.Linear(host.dim, len(RELATIONS)))

    def loss(self, hidden: Hidden, samples: Sequence[Sample]) -> Mapping[str, Tensor]:
        """Cross-entropy of each fact at the token on which a thing stands."""
        facts: dict[tuple[int, int], list[float]] = {}
        for row, sample in enumerate(samples):
            for thing, true in zip(sample.things or (), facts_of(sample.things or ()), strict=True):
                place = around(thing.u, thing.v, self.grid)
                where = (row, int(place.cells[int(place.weights.argmax())]))
                # A block in a bowl shares its token: what is true of one of them alone cannot be told there.
                facts[where] = [a if a == b else _UNSURE for a, b in zip(true, facts.get(where, true), strict=True)]
        if not facts or hidden.half is None:
            return {}
        start, _ = hidden.sentence.spans[self.sense]
        rows, cells = zip(*facts, strict=True)
        told = self.read(hidden.half[list(rows), [start + cell for cell in cells]].float())
        wanted = torch.tensor(list(facts.values()), device=told.device)
        known = wanted != _UNSURE
        right = ((told > 0) == (wanted > 0.5))[known].float().mean()
        loss = nn.functional.binary_cross_entropy_with_logits(told[known], wanted[known])
        return {"facts": loss, "facts_accuracy": right.detach()}

    def answer(self, hidden: Hidden) -> Any:
        """Nothing."""
        return None


def facts_of(things: Sequence[Seen]) -> Iterator[list[float]]:
    """Of each thing a number for each of RELATIONS: 1 where it holds, 0 where not, -1 where one cannot tell."""
    for thing in things:
        others = [each for each in things if each is not thing]
        like = [each for each in others if each.kind == thing.kind]
        named = any(each.colour == thing.colour for each in like)
        yield [
            float(not named) if thing.colour is not None else _UNSURE,
            float(not like),
            _leads([each.u - thing.u for each in like]),
            _leads([thing.u - each.u for each in like]),
            _leads([thing.v - each.v for each in like]),
            _leads([each.v - thing.v for each in like]),
            float(any(max(abs(each.u - thing.u), abs(each.v - thing.v)) < _CLOSE for each in others)),
        ]


def _leads(ahead: Sequence[float]) -> float:
    """By how much it is further along than each of the others: whether it leads."""
    least = min(ahead, default=0.0)
    return _UNSURE if abs(least) < _CLOSE else float(least > 0.0)


HEADS.register("relations", Relations)
