# SPDX-License-Identifier: Apache-2.0
"""Connectors: features of an encoder in, tokens of the language model out (PaLM-E's psi). One file each."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from embodied.model.encoders import Encoder
from embodied.registry import Registry


class Connector(nn.Module):
    """Built as `connector(encoder, dim, text_scale=..., **options)`: of what it connects, and to what.

    `text_scale` is the root mean square of a word embedding's entries. Features of a vision encoder come with a norm
    far above that of words, so tokens are brought to it: see `scaled`.
    """

    keeps_cells: ClassVar[bool] = True
    """Whether there is a token for each of the encoder's, so that a head can point at one."""
    reads_words: ClassVar[bool] = False
    """Whether its tokens depend on the command, (B, K, dim) of whose words `forward` then gets too: no other command
    can share them."""
    columns_across: int = 0
    """How many of its tokens are a row of the grid that they form; 0 where they form none."""
    text_scale: Tensor

    def __init__(self, encoder: Encoder, dim: int, *, text_scale: float) -> None:
        super().__init__()
        self.register_buffer("text_scale", torch.tensor(text_scale))  # saved, as it belongs to the words

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """(B, T, feature_dim) to (B, T', dim). T' is T where it `keeps_cells`."""

    def scaled(self, tokens: Tensor) -> Tensor:
        """(B, T, dim), each token of root-mean-square `text_scale`."""
        return self.text_scale * unit_rms(tokens)


def unit_rms(x: Tensor) -> Tensor:
    """Each vector of root-mean-square 1."""
    return nn.functional.rms_norm(x, x.shape[-1:])


CONNECTORS: Registry[Callable[..., Connector]] = Registry("connector", group="embodied.connectors", package=__name__)
"""What builds a connector, by name."""
