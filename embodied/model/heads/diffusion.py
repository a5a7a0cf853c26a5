# SPDX-License-Identifier: Apache-2.0
"""The next actions out of noise, step by step less of it (diffusion, Ho et al. 2020; as in Diffusion Policy, Chi et al.
2023, and Octo, 2024). Steps are those of DDIM (Song et al. 2021), which add no noise of their own; what is learned is
how a mixture of actions and noise turns with time (Salimans and Ho 2022)."""

import math

import torch
from torch import Tensor

from embodied.model.heads import HEADS
from embodied.model.heads.noise import FromNoise


class DiffusionHead(FromNoise):
    """Learns what is noise in noisy actions. `time` goes from 0 (actions) to 1 (noise), on a quarter of a circle."""

    def mixed(self, actions: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """Actions (N, steps, 7) that are as noisy as at `time` (N,)."""
        clear, noisy = _shares(time)
        return clear * actions + noisy * noise

    def taken_apart(self, read: Tensor, noisy_actions: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """The actions and the noise of which it takes noisy actions to be made."""
        clear, noisy = _shares(time)
        turned = self.expected(read, noisy_actions, time)
        return clear * noisy_actions - noisy * turned, noisy * noisy_actions + clear * turned

    def error(self, read: Tensor, wanted: Tensor) -> Tensor:
        """Squared, of what the mixture is turned by at a random time."""
        noise, time = torch.randn_like(wanted), torch.rand(len(wanted), device=wanted.device)
        clear, noisy = _shares(time)
        turned = self.expected(read, self.mixed(wanted, noise, time), time)
        return (turned - (clear * noise - noisy * wanted)).square().mean()

    def chosen(self, read: Tensor) -> Tensor:
        """What is left when all noise is taken away that it began with."""
        actions = self.begun.float().expand(len(read), -1, -1)
        for jump in range(self.jumps):
            # In float32, as in training: how noisy something is must be told exactly.
            left = (1.0 - at / self.jumps for at in (jump, jump + 1))
            time, then = (torch.full((len(read),), each, device=read.device) for each in left)
            actions = self.mixed(*self.taken_apart(read, actions, time), then)
        return actions


def _shares(time: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 1, 1) each: how much of a mixture is action, and how much noise."""
    angle = (0.5 * math.pi * time)[:, None, None]
    return angle.cos(), angle.sin()


HEADS.register("diffusion", DiffusionHead)
