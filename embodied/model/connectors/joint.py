# SPDX-License-Identifier: Apache-2.0
"""An encoder that reads picture and command together, in both directions, before a decoder looks at what it made of
them (PaLI, Chen et al. 2023, section 3.1; T5, Raffel et al. 2020)."""

from typing import Any

import torch
from torch import Tensor, nn

from embodied.model.connectors import CONNECTORS, unit_rms
from embodied.model.connectors.affine import Projector
from embodied.model.connectors.instructed import waves
from embodied.model.encoders import Encoder, check_sizes


class Joint(Projector):
    """Tokens of the picture, after `depth` layers in which they and the command's words look at each other.

    Raises ValueError where `heads` do not divide the width of the language model.
    """

    reads_words = True

    def __init__(self, encoder: Encoder, dim: int, *, text_scale: float, depth: int = 2, heads: int = 4) -> None:
        check_sizes(depth=depth, heads=heads)
        if dim % heads:
            raise ValueError(f"heads must divide the language model's width {dim}, not {heads}")
        super().__init__(encoder, dim, text_scale=text_scale)
        layer: dict[str, Any] = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(dim, heads, 4 * dim, **layer) for _ in range(depth))

    def forward(self, features: Tensor, words: Tensor | None = None) -> Tensor:
        """(B, T, feature_dim), and (B, K, dim) words of the command, to (B, T, dim)."""
        seen = unit_rms(super().forward(features))
        said = seen[:, :0] if words is None else unit_rms(words.to(seen.dtype))
        both = torch.cat([seen, said + waves(said.shape[1], said)], dim=1)
        for layer in self.layers:
            both = layer(both)
        return self.scaled(both[:, : seen.shape[1]])


CONNECTORS.register("joint", Joint)
