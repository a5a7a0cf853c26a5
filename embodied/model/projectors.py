# SPDX-License-Identifier: Apache-2.0
"""Projectors: encoder features to tokens that live where word embeddings live.

Features of a vision encoder come with a norm far above that of word embeddings, which makes any
position code unreadable after the first RMSNorm. So a token is normalised to the text's scale, and
a learned 2-D position code of the same scale is added to picture tokens.
"""

import torch
from torch import Tensor, nn


class Projector(nn.Module):
    """An affine map (PaLM-E's psi), normalised to `text_scale`, plus a position code on grids."""

    text_scale: Tensor

    def __init__(
        self, feature_dim: int, embedding_dim: int, *, text_scale: float, grid: tuple[int, int] | None
    ) -> None:
        super().__init__()
        self.register_buffer("text_scale", torch.tensor(text_scale))  # saved, as it belongs to the words
        self.affine = nn.Linear(feature_dim, embedding_dim)
        self.rows = self.columns = None
        if grid is not None:
            self.rows = nn.Parameter(torch.randn(grid[0], 1, embedding_dim))
            self.columns = nn.Parameter(torch.randn(1, grid[1], embedding_dim))

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, feature_dim) to (B, T, embedding_dim), each token of root-mean-square `text_scale`."""
        tokens = _unit_rms(self.affine(features))
        if self.rows is not None and self.columns is not None:
            tokens = tokens + _unit_rms((self.rows + self.columns).flatten(0, 1))
        return self.text_scale * _unit_rms(tokens)


def _unit_rms(x: Tensor) -> Tensor:
    return nn.functional.rms_norm(x, x.shape[-1:])
