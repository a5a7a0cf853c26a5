# SPDX-License-Identifier: Apache-2.0
"""Words alone go through the language model, and look at the senses between its layers (Alayrac et al. 2022)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from embodied.model.backbone import Backbone
from embodied.model.encoders import check_sizes
from embodied.model.fusion import FUSIONS
from embodied.model.fusion.beside import Beside


class _GatedLook(nn.Module):
    """Cross-attention and two layers behind it, each let through by a gate that is closed at first (section 2.2)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.words, self.shown = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.think = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.look_gate, self.think_gate = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def forward(self, states: Tensor, context: Tensor) -> Tensor:
        """(B, K, D) words, after a look at (B, T, D) tokens of the senses."""
        shown = self.shown(context)
        found = self.attention(self.words(states), shown, shown, need_weights=False)[0]
        states = states + self.look_gate.tanh() * found
        thought: Tensor = states + self.think_gate.tanh() * self.think(states)
        return thought


class Flamingo(Beside):
    """Before every layer whose number `every` divides, words look at all senses, or at those that stand `beside`.

    Raises ValueError where `heads` do not divide the width of the language model.
    """

    def __init__(self, backbone: Backbone, *, every: int = 1, heads: int = 4, beside: Sequence[str] = ()) -> None:
        super().__init__(backbone, beside=beside)
        check_sizes(every=every, heads=heads)
        if backbone.dim % heads:
            raise ValueError(f"heads must divide the language model's width {backbone.dim}, not {heads}")
        self._every = every
        self.looks = nn.ModuleList(_GatedLook(backbone.dim, heads) for _ in backbone.layers[::every])

    def look(self, number: int, words: Tensor, senses: Tensor) -> Tensor:
        if number % self._every:
            return words
        seen: Tensor = self.looks[number // self._every](words, senses)
        return seen


FUSIONS.register("flamingo", Flamingo)
