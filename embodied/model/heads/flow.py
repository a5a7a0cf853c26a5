# SPDX-License-Identifier: Apache-2.0
"""The next actions out of noise, by a field of velocities (flow matching, Lipman et al. 2023; as in pi0, Black et al.
2024)."""

import torch
from torch import Tensor

from embodied.model.heads import HEADS
from embodied.model.heads.noise import FromNoise


class FlowHead(FromNoise):
    """Learns by which velocity noise becomes actions; goes there in Euler steps."""

    def velocity(self, read: Tensor, actions: Tensor, time: Tensor) -> Tensor:
        """(N, steps, 7) by which `actions` (N, steps, 7) change at `time` (N,), which goes from 0 (noise) to 1."""
        return self.expected(read, actions, time)

    def error(self, read: Tensor, wanted: Tensor) -> Tensor:
        """Squared, of the velocity at a random time of the straight way from noise to the actions."""
        noise, time = torch.randn_like(wanted), torch.rand(len(wanted), device=wanted.device)
        on_the_way = torch.lerp(noise, wanted, time[:, None, None])
        return (self.velocity(read, on_the_way, time) - (wanted - noise)).square().mean()

    def chosen(self, read: Tensor) -> Tensor:
        """Where the way ends that begins at the noise which is kept."""
        actions = self.begun.to(read.dtype).expand(len(read), -1, -1)
        for jump in range(self.jumps):
            time = torch.full((len(read),), jump / self.jumps, device=read.device)
            actions = actions + self.velocity(read, actions, time) / self.jumps
        return actions


HEADS.register("flow", FlowHead)
