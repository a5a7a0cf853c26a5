# SPDX-License-Identifier: Apache-2.0
"""How words enter the trained layers above a base."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from embodied.model.base import Base

ITSELF = 0.3
"""How much of a word as it is in the table enters beside what a base makes of it, before training."""
TYPICAL = "put the red block in the green bowl"
"""Words whose size is that of words where they enter the trained layers."""


class Entry(nn.Module):
    """How words enter the layers above a base: as what they mean there, and a little as themselves.

    What stands so high in a language model knows best what comes next; the plan has to say again which colour was said.
    """

    larger: Tensor

    def __init__(self, base: Base, typical: Sequence[int]) -> None:
        super().__init__()
        table = base.embedding(torch.tensor(typical, device=base.embedding.weight.device))
        read = base((), [typical])
        # The first word of a sentence is a hundred times as large as any other: it stands for nothing.
        self.scale = float(read[1:].float().pow(2).mean().sqrt())
        """Root mean square of what comes out of the base."""
        # Saved, as it belongs to the words. Apart from the map, which stays about one: what an optimiser changes by
        # its learning rate must not be lost beside it.
        self.register_buffer("larger", torch.tensor(self.scale / float(table.pow(2).mean().sqrt())))
        self.map = nn.Linear(base.dim, base.dim, bias=False)
        with torch.no_grad():
            self.map.weight.copy_(ITSELF * torch.eye(base.dim))

    def forward(self, states: Tensor, words: Tensor) -> Tensor:
        """(..., D) what a base makes of words, and their rows of the table, to what enters the layers."""
        itself: Tensor = self.map((self.larger * words).to(self.map.weight.dtype))
        return states.to(itself.dtype) + itself
