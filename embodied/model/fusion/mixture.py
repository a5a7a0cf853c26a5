# SPDX-License-Identifier: Apache-2.0
"""Early fusion whose layers have several experts behind attention, of which each token goes through a few (MoE-LLaVA,
Lin et al. 2024; Shazeer et al. 2017). All begin as what the language model has there, so that it begins as it was. No
loss of its own spreads tokens over the experts, as MoE-LLaVA has one.
"""

import copy
from typing import Any

from torch import Tensor, nn

from embodied.model.backbone import Backbone
from embodied.model.encoders import check_sizes
from embodied.model.fusion import FUSIONS
from embodied.model.fusion.by_token import ByToken


class _Experts(nn.Module):
    """The first expert is the language model's own."""

    def __init__(self, first: nn.Module, dim: int, experts: int, chosen: int) -> None:
        super().__init__()
        self._chosen = chosen
        self.router = nn.Linear(dim, experts, bias=False)
        self.others = nn.ModuleList(copy.deepcopy(first) for _ in range(experts - 1))

    def forward(self, read: Tensor, given: Tensor) -> Tensor:
        """(N, D) what N tokens read, and what the first expert gives for them."""
        best = self.router(read.to(self.router.weight.dtype)).topk(self._chosen, dim=-1)
        share = best.values.new_zeros(len(read), 1 + len(self.others))
        share = share.scatter(1, best.indices, best.values.float().softmax(dim=-1).to(share.dtype))
        told: Tensor = share[:, :1] * given
        for number, expert in enumerate(self.others, start=1):
            asked = share[:, number] > 0
            told[asked] = told[asked] + share[asked, number, None] * expert(read[asked])
        return told


class Mixture(ByToken):
    """`experts` in each layer, of which each token is read by the `chosen` that the router likes best."""

    words_too = True

    def __init__(self, backbone: Backbone, *, experts: int = 4, chosen: int = 2) -> None:
        check_sizes(experts=experts, chosen=chosen)
        if not 2 <= chosen <= experts:  # of one, the share is always 1, and the router would learn nothing
            raise ValueError(f"chosen must be from 2 to experts={experts}, not {chosen}")
        self._experts, self._chosen, self._dim = experts, chosen, backbone.dim
        super().__init__(backbone)

    def _has(self, module: nn.Module) -> bool:
        return "mlp" in type(module).__name__.lower()

    def _counterpart(self, module: Any) -> nn.Module:
        return _Experts(module, self._dim, self._experts, self._chosen)


FUSIONS.register("mixture", Mixture)
