# SPDX-License-Identifier: Apache-2.0
"""A fixed number of learned queries that look at the features: as many tokens, whatever the picture's size."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from embodied.model.connectors import CONNECTORS, Connector, unit_rms
from embodied.model.connectors.affine import Projector
from embodied.model.encoders import Encoder, check_sizes


class Queried(Connector):
    """`tokens` queries, `depth` blocks of `heads` heads. Each sort of block is a class below.

    Raises ValueError where the heads do not divide the width of the language model.
    """

    keeps_cells: ClassVar[bool] = False

    def __init__(
        self, encoder: Encoder, dim: int, *, text_scale: float, tokens: int = 32, depth: int = 2, heads: int = 4
    ) -> None:
        super().__init__(encoder, dim, text_scale=text_scale)
        check_sizes(tokens=tokens, depth=depth, heads=heads)
        if dim % heads:
            raise ValueError(f"heads must divide the language model's width {dim}, not {heads}")
        self.queries = nn.Parameter(torch.randn(tokens, dim))
        self.shows = Projector(encoder, dim, text_scale=1.0)
        self.blocks = nn.ModuleList(self._block(dim, heads) for _ in range(depth))

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, feature_dim) to (B, tokens, dim)."""
        seen, queries = self.shows(features), unit_rms(self.queries).expand(len(features), -1, -1)
        for block in self.blocks:
            queries = block(queries, seen)
        return self.scaled(queries)

    @abstractmethod
    def _block(self, dim: int, heads: int) -> nn.Module:
        """One block, called with (B, Q, D) queries and (B, T, D) what is shown."""


class Look(nn.Module):
    """(B, Q, D) queries take up what they find in (B, T, D), after a norm of each."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.asks, self.shows = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)

    def forward(self, queries: Tensor, seen: Tensor) -> Tensor:
        shown = self.shows(seen)
        found: Tensor = self.attention(self.asks(queries), shown, shown, need_weights=False)[0]
        return queries + found


class Think(nn.Module):
    """Two layers for each query."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, queries: Tensor) -> Tensor:
        thought: Tensor = queries + self.layers(queries)
        return thought


class _PerceiverBlock(nn.Module):
    """Queries look at the features and at each other in one attention."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.look, self.think = Look(dim, heads), Think(dim)

    def forward(self, queries: Tensor, seen: Tensor) -> Tensor:
        thought: Tensor = self.think(self.look(queries, torch.cat([seen, queries], dim=1)))
        return thought


class _QFormerBlock(nn.Module):
    """Queries look at each other, then at the features."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.talk, self.look, self.think = Look(dim, heads), Look(dim, heads), Think(dim)

    def forward(self, queries: Tensor, seen: Tensor) -> Tensor:
        thought: Tensor = self.think(self.look(self.talk(queries, queries), seen))
        return thought


class Perceiver(Queried):
    """The resampler of Flamingo (Alayrac et al. 2022, section 2.1)."""

    def _block(self, dim: int, heads: int) -> nn.Module:
        return _PerceiverBlock(dim, heads)


class QFormer(Queried):
    """The querying transformer of BLIP-2 (Li et al. 2023), without its stage of its own."""

    def _block(self, dim: int, heads: int) -> nn.Module:
        return _QFormerBlock(dim, heads)


class Cross(Queried):
    """One layer of cross-attention, as in Qwen-VL (Bai et al. 2023)."""

    def __init__(self, encoder: Encoder, dim: int, *, text_scale: float, tokens: int = 32, heads: int = 4) -> None:
        super().__init__(encoder, dim, text_scale=text_scale, tokens=tokens, depth=1, heads=heads)

    def _block(self, dim: int, heads: int) -> nn.Module:
        return Look(dim, heads)


CONNECTORS.register("perceiver", Perceiver)
CONNECTORS.register("qformer", QFormer)
CONNECTORS.register("cross", Cross)
