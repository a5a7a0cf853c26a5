# SPDX-License-Identifier: Apache-2.0
"""An affine map, normalised to the scale of words."""

import torch
from torch import Tensor, nn

from embodied.model.connectors import CONNECTORS, Connector, unit_rms
from embodied.model.encoders import Encoder


class Projector(Connector):
    """An affine map (PaLM-E's psi), normalised to `text_scale`, plus a position code on grids.

    A position code would be unreadable after the first RMSNorm beside features of a far greater norm. So tokens are
    normalised, and a learned 2-D position code of the same scale is added to those of a picture.
    """

    def __init__(self, encoder: Encoder, dim: int, *, text_scale: float) -> None:
        super().__init__(encoder, dim, text_scale=text_scale)
        self.affine = self._map(encoder.feature_dim, dim)
        self.rows = self.columns = None
        if (grid := self._grid(encoder)) is not None:
            self.columns_across = grid[1]
            self.rows = nn.Parameter(torch.randn(grid[0], 1, dim))
            self.columns = nn.Parameter(torch.randn(1, grid[1], dim))

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, feature_dim) to (B, T, dim), each token of root-mean-square `text_scale`."""
        tokens = unit_rms(self.affine(features))
        if self.rows is not None and self.columns is not None:
            tokens = tokens + unit_rms((self.rows + self.columns).flatten(0, 1))
        return self.scaled(tokens)

    def _map(self, feature_dim: int, dim: int) -> nn.Module:
        """What makes a token of a feature."""
        return nn.Linear(feature_dim, dim)

    def _grid(self, encoder: Encoder) -> tuple[int, int] | None:
        """Rows and columns of the tokens that it gives."""
        return encoder.grid


CONNECTORS.register("affine", Projector)
