# SPDX-License-Identifier: Apache-2.0
"""Pointing, grounded in words.

What comes out of the language model at a picture token is read as words ("red", "block"); what comes out at a noun of
the plan is read as words too. Both readings live among the language model's own word embeddings, and a noun points at
the picture token that carries the same words. The pointer sees coarse position through the language model alone; inside
the chosen cell a small regressor adds the offset to the object's centre.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Reading(NamedTuple):
    """Vectors read as words: unit vectors (..., D) and logits over the words, "nothing" last."""

    colour: Tensor
    kind: Tensor
    colour_logits: Tensor  # (..., colours + 1)
    kind_logits: Tensor  # (..., kinds + 1)


class Grounding(nn.Module):
    """The pointer and the two readings that it matches."""

    colour_words: Tensor
    kind_words: Tensor

    def __init__(self, dim: int, feature_dim: int, *, colours: int, kinds: int, hidden: int = 256) -> None:
        super().__init__()
        self.register_buffer("colour_words", torch.zeros(colours + 1, dim))
        self.register_buffer("kind_words", torch.zeros(kinds + 1, dim))
        self.token_maps = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(2))
        self.query_maps = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(2))
        self.centre = nn.Linear(dim, 1)
        self.sharpness = nn.Parameter(torch.tensor(12.0))
        self.offset = nn.Sequential(
            nn.Linear(2 * dim + feature_dim, hidden), nn.SiLU(), nn.Linear(hidden, 2), nn.Tanh()
        )

    def set_words(self, colour_embeddings: Tensor, kind_embeddings: Tensor) -> None:
        """Take word embeddings (words, D) as the anchors; centred, so that words differ by meaning."""
        centre = torch.cat([colour_embeddings, kind_embeddings]).mean(dim=0)
        self.colour_words.copy_(nn.functional.normalize(colour_embeddings - centre, dim=-1))
        self.kind_words.copy_(nn.functional.normalize(kind_embeddings - centre, dim=-1))

    def read_tokens(self, hidden: Tensor) -> Reading:
        """What each picture token says: (..., D) hidden states to words."""
        return self._read(self.token_maps[0](hidden), self.token_maps[1](hidden))

    def read_queries(self, hidden: Tensor) -> Reading:
        """What each noun of the plan looks for: (..., D) hidden states to words."""
        return self._read(self.query_maps[0](hidden), self.query_maps[1](hidden))

    def read_inputs(self, tokens: Tensor) -> Reading:
        """What each picture token says before the language model: (..., D) tokens to words."""
        return self._read(tokens, tokens)

    def match(self, tokens: Reading, queries: Reading, hidden: Tensor) -> Tensor:
        """Pointing logits (B, Q, T): how well token t carries the words that query q looks for."""
        same = torch.einsum("bqd,btd->bqt", queries.colour, tokens.colour)
        same = same + torch.einsum("bqd,btd->bqt", queries.kind, tokens.kind)
        logits: Tensor = self.sharpness * same + self.centre(hidden).transpose(1, 2)
        return logits

    def offsets(self, token_hidden: Tensor, features: Tensor, query_hidden: Tensor) -> Tensor:
        """(..., 2) from a cell's centre to the object's, in cells, each within 1.5."""
        offset: Tensor = self.offset(torch.cat([token_hidden, features, query_hidden], dim=-1))
        return 1.5 * offset

    def _read(self, colour: Tensor, kind: Tensor) -> Reading:
        colour, kind = nn.functional.normalize(colour, dim=-1), nn.functional.normalize(kind, dim=-1)
        return Reading(
            colour=colour,
            kind=kind,
            colour_logits=self.sharpness * colour @ self.colour_words.T,
            kind_logits=self.sharpness * kind @ self.kind_words.T,
        )
