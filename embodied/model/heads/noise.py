# SPDX-License-Identifier: Apache-2.0
"""What heads share that make the next actions out of noise: an action expert, which reads noisy actions, how noisy they
are, and what the model says (as in pi0, Black et al. 2024), and the noise that it begins with.

Where different actions were shown for what looks alike, it ends at one of these. The noise is drawn once and kept: the
same sight and words lead to the same actions.
"""

import math

import torch
from torch import Tensor, nn

from embodied.model.encoders import check_sizes
from embodied.model.heads import Host
from embodied.model.heads.acting import ACTIONS, Acting

_SEED = 0
_SHORTEST, _LONGEST = 0.01, 4.0
"""Periods of the waves that tell the time, which goes from 0 to 1."""
_MOST_JUMPS = 1000


class FromNoise(Acting):
    """A small transformer over the actions of a chunk.

    Args:
        depth: layers.
        jumps: steps from noise to actions.
    """

    begun: Tensor

    def __init__(
        self, host: Host, *, steps: int = 8, hidden: int = 256, depth: int = 2, heads: int = 4, jumps: int = 10
    ) -> None:
        super().__init__(host, steps=steps, hidden=hidden)
        check_sizes(depth=depth, heads=heads, jumps=jumps)
        if hidden % (2 * heads):
            raise ValueError(f"hidden must be a multiple of 2 x heads={2 * heads}, not {hidden}")
        if jumps > _MOST_JUMPS:
            raise ValueError(f"jumps must be at most {_MOST_JUMPS}, not {jumps}")
        self.jumps = jumps
        self.enter, self.leave = nn.Linear(ACTIONS, hidden), nn.Linear(hidden, ACTIONS)
        self.place = nn.Parameter(torch.randn(steps, hidden) * 0.02)
        self.clock = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        layer = nn.TransformerEncoderLayer(
            hidden, heads, 2 * hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.expert = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        noise = torch.randn(steps, ACTIONS, generator=torch.Generator().manual_seed(_SEED))
        self.register_buffer("begun", noise)

    def expected(self, read: Tensor, actions: Tensor, time: Tensor) -> Tensor:
        """(N, steps, 7) of what was `read` (N, hidden), noisy `actions` (N, steps, 7) and `time` (N,) in [0, 1]."""
        told = (read + self.clock(_waves(time, read.shape[-1]).to(read.dtype))).unsqueeze(1)
        # What is told stands before the actions as a token of its own, and in each of them.
        tokens = torch.cat([told, self.enter(actions.to(read.dtype)) + self.place + told], dim=1)
        expected: Tensor = self.leave(self.expert(tokens)[:, 1:])
        return expected


def _waves(time: Tensor, size: int) -> Tensor:
    """(N,) in [0, 1] as (N, size) sines and cosines of many periods."""
    periods = torch.logspace(math.log10(_SHORTEST), math.log10(_LONGEST), size // 2, device=time.device)
    angle = 2 * math.pi * time.unsqueeze(-1) / periods
    return torch.cat([angle.sin(), angle.cos()], dim=-1)
