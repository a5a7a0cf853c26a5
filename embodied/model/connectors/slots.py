# SPDX-License-Identifier: Apache-2.0
"""A few slots that share a picture out among them, without being told where things are: a token for each.

Slot Attention (Locatello et al. 2020, algorithm 1), as the scene representation transformer has it that gives PaLM-E
its object-centric tokens (OSRT; Driess et al. 2023, section 4). Unlike queries, slots compete: what one of them
explains, no other one does. Slots begin as learned vectors (Jia et al. 2023), so that the same picture always gives the
same tokens, where the first paper draws them.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from embodied.model.connectors import CONNECTORS, Connector, unit_rms
from embodied.model.connectors.affine import Projector
from embodied.model.encoders import Encoder, check_sizes

_LEAST = 1e-6


class Slots(Connector):
    """`tokens` slots of size `width`, which look `rounds` times."""

    keeps_cells: ClassVar[bool] = False

    def __init__(
        self, encoder: Encoder, dim: int, *, text_scale: float, tokens: int = 8, rounds: int = 3, width: int = 192
    ) -> None:
        super().__init__(encoder, dim, text_scale=text_scale)
        check_sizes(tokens=tokens, rounds=rounds, width=width)
        self.rounds = rounds
        self.begin = nn.Parameter(torch.randn(tokens, width))
        self.shows = Projector(encoder, width, text_scale=1.0)
        self.keys, self.values, self.asks = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.update = nn.GRUCell(width, width)
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )
        self.out = nn.Linear(width, dim)

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, feature_dim) to (B, tokens, dim)."""
        return self.scaled(self.out(self._filled(features)[0]))

    def shares(self, features: Tensor) -> Tensor:
        """(B, tokens, T) how much of each cell goes to each slot in the last round; of a cell they sum to 1."""
        return self._filled(features)[1]

    def _filled(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The slots (B, S, W), and their shares."""
        shown = self.shows(features)
        keys, values = self.keys(shown), self.values(shown)
        slots = unit_rms(self.begin).expand(len(features), -1, -1)
        shares = slots.new_zeros(*slots.shape[:2], shown.shape[1])
        for _ in range(self.rounds):
            asks = self.asks(unit_rms(slots)) * keys.shape[-1] ** -0.5
            shares = (asks @ keys.transpose(1, 2)).softmax(dim=1)
            mean = shares / shares.sum(dim=2, keepdim=True).clamp_min(_LEAST)
            found = (mean @ values).flatten(0, 1)
            slots = self.update(found, slots.flatten(0, 1)).view_as(slots)
            slots = slots + self.think(slots)
        return slots, shares


CONNECTORS.register("slots", Slots)
