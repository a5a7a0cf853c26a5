# SPDX-License-Identifier: Apache-2.0
"""The next actions all at once, by L1 regression (parallel decoding of OpenVLA-OFT, Kim et al. 2025)."""

from torch import Tensor, nn

from embodied.model.heads import HEADS, Host
from embodied.model.heads.acting import ACTIONS, Acting


class ChunkHead(Acting):
    """Says each number of each action, which is the median of what was shown where these differ."""

    def __init__(self, host: Host, *, steps: int = 8, hidden: int = 256) -> None:
        super().__init__(host, steps=steps, hidden=hidden)
        self.actions = nn.Linear(hidden, steps * ACTIONS)

    def error(self, read: Tensor, wanted: Tensor) -> Tensor:
        """The mean absolute one."""
        return (self.chosen(read) - wanted).abs().mean()

    def chosen(self, read: Tensor) -> Tensor:
        """What it says."""
        actions: Tensor = self.actions(read).unflatten(-1, (self.horizon, ACTIONS))
        return actions


HEADS.register("chunk", ChunkHead)
