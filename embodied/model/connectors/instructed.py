# SPDX-License-Identifier: Apache-2.0
"""Queries that read the command before they look at the features (InstructBLIP, Dai et al. 2023): of a picture they
take what the command is about."""

import math

import torch
from torch import Tensor, nn

from embodied.model.connectors import CONNECTORS, unit_rms
from embodied.model.connectors.queried import Look, Queried, Think

_LONGEST = 1e4
"""Of the waves that tell a word's place (Vaswani et al. 2017)."""


class _Block(nn.Module):
    """Queries and words look at each other, then the queries at the features."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.talk, self.look = Look(dim, heads), Look(dim, heads)
        self.think, self.think_words = Think(dim), Think(dim)

    def forward(self, queries: Tensor, words: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([queries, words], dim=1)
        queries, words = self.talk(both, both).split([queries.shape[1], words.shape[1]], dim=1)
        return self.think(self.look(queries, seen)), self.think_words(words)


class Instructed(Queried):
    """The Q-Former of InstructBLIP, without its stage of its own."""

    reads_words = True

    def forward(self, features: Tensor, words: Tensor | None = None) -> Tensor:
        """(B, T, feature_dim), and (B, K, dim) words of the command, to (B, tokens, dim)."""
        seen, queries = self.shows(features), unit_rms(self.queries).expand(len(features), -1, -1)
        said = queries[:, :0] if words is None else unit_rms(words.to(queries.dtype))
        said = said + waves(said.shape[1], said)
        for block in self.blocks:
            queries, said = block(queries, said, seen)
        return self.scaled(queries)

    def _block(self, dim: int, heads: int) -> nn.Module:
        return _Block(dim, heads)


def waves(count: int, like: Tensor) -> Tensor:
    """(count, D) sines and cosines of the places of words."""
    size = like.shape[-1]
    periods = torch.logspace(0.0, math.log10(_LONGEST), size // 2, device=like.device)
    angle = torch.arange(count, device=like.device)[:, None] / periods
    return torch.cat([angle.sin(), angle.cos()], dim=-1).to(like.dtype)


CONNECTORS.register("instructed", Instructed)
