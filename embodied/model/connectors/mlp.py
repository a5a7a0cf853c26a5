# SPDX-License-Identifier: Apache-2.0
"""Two layers for each token, as in LLaVA-1.5 (Liu et al. 2023, Improved Baselines with Visual Instruction Tuning)."""

from torch import nn

from embodied.model.connectors import CONNECTORS
from embodied.model.connectors.affine import Projector


class Mlp(Projector):
    """A linear map, GELU and another one, in place of the affine map."""

    def _map(self, feature_dim: int, dim: int) -> nn.Module:
        return nn.Sequential(nn.Linear(feature_dim, dim), nn.GELU(), nn.Linear(dim, dim))


CONNECTORS.register("mlp", Mlp)
