# SPDX-License-Identifier: Apache-2.0
"""One token for a square of cells: fewer tokens to read, and nobody can point at a cell."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from embodied.model.connectors import CONNECTORS
from embodied.model.connectors.affine import Projector
from embodied.model.encoders import Encoder, check_sizes


class Merged(Projector):
    """`side` x `side` cells of a grid become one token. Raises ValueError for a grid that they do not fill."""

    keeps_cells: ClassVar[bool] = False

    def __init__(self, encoder: Encoder, dim: int, *, text_scale: float, side: int = 2) -> None:
        check_sizes(side=side)
        if encoder.grid is None:
            raise ValueError("its encoder gives no grid of tokens")
        if any(length % side for length in encoder.grid):
            rows, columns = encoder.grid
            raise ValueError(f"side must divide the encoder's {rows} rows and {columns} columns, not {side}")
        self.side, self._cells = side, encoder.grid
        super().__init__(encoder, dim, text_scale=text_scale)

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, feature_dim) to (B, T / side^2, dim)."""
        return super().forward(self._merged(self._squares(features)))

    def _squares(self, features: Tensor) -> Tensor:
        """(B, T', side^2, F) the cells of each square."""
        rows, columns = (length // self.side for length in self._cells)
        split = features.reshape(len(features), rows, self.side, columns, self.side, -1)
        return split.transpose(2, 3).flatten(3, 4).flatten(1, 2)

    @abstractmethod
    def _merged(self, squares: Tensor) -> Tensor:
        """A token's features of the cells (B, T', side^2, F) of each square."""

    def _grid(self, encoder: Encoder) -> tuple[int, int]:
        rows, columns = self._cells
        return rows // self.side, columns // self.side


class Pool(Merged):
    """The mean of the cells (as in MM1's and Honeybee's baselines)."""

    def _merged(self, squares: Tensor) -> Tensor:
        return squares.mean(dim=2)


class Shuffle(Merged):
    """The cells one after the other, as pixel shuffle has it (InternVL, Chen et al. 2024; SmolVLM)."""

    def _map(self, feature_dim: int, dim: int) -> nn.Module:
        return nn.Linear(self.side**2 * feature_dim, dim)

    def _merged(self, squares: Tensor) -> Tensor:
        return torch.flatten(squares, 2)


CONNECTORS.register("pool", Pool)
CONNECTORS.register("shuffle", Shuffle)
