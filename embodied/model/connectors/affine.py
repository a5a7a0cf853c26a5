# SPDX-License-Identifier: Apache-2.0
"""An affine map, normalised to the scale of words."""

import torch
from torch import Tensor, nn

from embodied.model.connectors import CONNECTORS, Connector
from embodied.model.encoders import Encoder


class Projector(Connector):
    """An affine map (PaLM-E's psi), normalised to `text_scale`, plus a position code on grids.

    Features of a vision encoder come with a norm far above that of word embeddings, which makes any
    position code unreadable after the first RMSNorm. So a token is normalised to the text's scale, and
    a learned 2-D position code of the same scale is added to picture tokens.
    """

    text_scale: Tensor

    def __init__(self, encoder: Encoder, dim: int, *, text_scale: float) -> None:
        super().__init__(encoder, dim, text_scale=text_scale)
        self.register_buffer("text_scale", torch.tensor(text_scale))  # saved, as it belongs to the words
        self.affine = nn.Linear(encoder.feature_dim, dim)
        self.rows = self.columns = None
        if encoder.grid is not None:
            self.rows = nn.Parameter(torch.randn(encoder.grid[0], 1, dim))
            self.columns = nn.Parameter(torch.randn(1, encoder.grid[1], dim))

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, feature_dim) to (B, T, dim), each token of root-mean-square `text_scale`."""
        tokens = _unit_rms(self.affine(features))
        if self.rows is not None and self.columns is not None:
            tokens = tokens + _unit_rms((self.rows + self.columns).flatten(0, 1))
        return self.text_scale * _unit_rms(tokens)


def _unit_rms(x: Tensor) -> Tensor:
    return nn.functional.rms_norm(x, x.shape[-1:])


CONNECTORS.register("affine", Projector)
