# SPDX-License-Identifier: Apache-2.0
"""Connectors: features of an encoder in, tokens of the language model out (PaLM-E's psi). One file each."""

from abc import abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from embodied.model.encoders import Encoder
from embodied.registry import Registry


class Connector(nn.Module):
    """Built as `connector(encoder, dim, text_scale=..., **options)`: of what it connects, and to what.

    `text_scale` is the root mean square of a word embedding's entries.
    """

    def __init__(self, encoder: Encoder, dim: int, *, text_scale: float) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """(B, T, feature_dim) to (B, T', dim). T' is T where the encoder has a grid that a head points in."""


CONNECTORS: Registry[Callable[..., Connector]] = Registry("connector", group="embodied.connectors", package=__name__)
"""What builds a connector, by name."""
