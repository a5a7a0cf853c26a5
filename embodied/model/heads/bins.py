# SPDX-License-Identifier: Apache-2.0
"""The next actions as words of their own: each number is one of so many bins (RT-1, Brohan et al. 2022; RT-2, 2023).

RT-2 writes the bins one after the other; here they are read all at once, as a chunk is. Where different actions were
shown for what looks alike, the likeliest bin is one of these, and not their mean.
"""

import torch
from torch import Tensor, nn

from embodied.model.encoders import check_sizes
from embodied.model.heads import HEADS, Host
from embodied.model.heads.acting import ACTIONS, Acting

WIDEST = 4.0
"""Standard deviations from the mean to the middle of the outermost bins, in which all that is further lies."""


class BinsHead(Acting):
    """`bins` of equal width for each number, over WIDEST standard deviations to either side."""

    def __init__(self, host: Host, *, steps: int = 8, hidden: int = 256, bins: int = 256) -> None:
        super().__init__(host, steps=steps, hidden=hidden)
        check_sizes(bins=bins)
        if bins < 2:
            raise ValueError(f"bins must be at least 2, not {bins}")
        self.count = bins
        self.logits = nn.Linear(hidden, steps * ACTIONS * bins)

    def encode(self, actions: Tensor) -> Tensor:
        """The numbers of the bins in which normalised `actions` lie, of any shape."""
        share = (actions.clamp(-WIDEST, WIDEST) + WIDEST) / (2 * WIDEST)
        return (share * (self.count - 1)).round().long()

    def decode(self, bins: Tensor) -> Tensor:
        """The middles of bins by their numbers: at most half a bin from what was encoded."""
        return bins.float() / (self.count - 1) * 2 * WIDEST - WIDEST

    def error(self, read: Tensor, wanted: Tensor) -> Tensor:
        """Cross-entropy of the bins."""
        return nn.functional.cross_entropy(self._read(read).flatten(0, 2).float(), self.encode(wanted).flatten())

    def chosen(self, read: Tensor) -> Tensor:
        """The middles of the likeliest bins."""
        return self.decode(self._read(read).argmax(dim=-1))

    def _read(self, read: Tensor) -> Tensor:
        logits: Tensor = self.logits(read)
        return torch.unflatten(logits, -1, (self.horizon, ACTIONS, self.count))


HEADS.register("bins", BinsHead)
