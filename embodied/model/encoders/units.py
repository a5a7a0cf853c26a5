# SPDX-License-Identifier: Apache-2.0
"""Sound as words of a vocabulary: what speech is to AudioPaLM (Rubenstein et al. 2023) and SpeechGPT (Zhang et al.).

Their units are clusters of what a speech model hears. Here a quantizer of random projections makes them, which learns
nothing (BEST-RQ, Chiu et al. 2022): 40 ms of sound are the number of the vector that lies nearest to their projection,
and what each number means to the language model is what learns.
"""

import numpy as np
import torch
from torch import Tensor, nn

from embodied.model.encoders import ENCODERS, check_sizes
from embodied.model.encoders.mel import FRAMES, Sound

_SEED = 2022
_DIM = 16
"""Numbers of a projection."""
_FAINTEST = 1e-3
"""Of what is projected: nearer to nothing it is nothing, or the smallest noise would be words."""


class UnitsEncoder(Sound):
    """(B, frames, `bands`) log-mel energies to (B, T, `width`), the words of T of `units` units.

    How loud it is makes no other unit, unless it is silent: that is unit 0.
    """

    def __init__(
        self, *, rate_hz: int = 16000, seconds: float = 1.0, bands: int = 80, units: int = 256, width: int = 128
    ) -> None:
        super().__init__(rate_hz=rate_hz, seconds=seconds, bands=bands)
        check_sizes(units=units, width=width)
        self.feature_dim = width
        drawn = np.random.default_rng(_SEED)
        # Neither learns, and no checkpoint has them: they are always these.
        self._projection = torch.from_numpy(drawn.normal(size=(FRAMES * bands, _DIM)) / np.sqrt(FRAMES * bands))
        self._units = nn.functional.normalize(torch.from_numpy(drawn.normal(size=(units, _DIM))), dim=1)
        self.words = nn.Embedding(1 + units, width)
        self.place = nn.Parameter(0.02 * torch.randn(self.tokens, width))

    def units(self, value: Tensor) -> Tensor:
        """(B, T) int, the unit of each 40 ms of (B, frames, `bands`)."""
        loud = nn.functional.pad(value.double(), (0, 0, 0, FRAMES * self.tokens - value.shape[1]))
        shape = (loud - loud.mean(dim=2, keepdim=True)).reshape(len(value), self.tokens, -1)
        seen = shape @ self._projection.to(shape.device)
        nearest = (seen @ self._units.to(shape.device).T).argmax(dim=2)
        return torch.where(seen.norm(dim=2) > _FAINTEST, 1 + nearest, 0)

    def forward(self, value: Tensor) -> Tensor:
        words: Tensor = self.words(self.units(value))
        return words + self.place


ENCODERS.register("units", UnitsEncoder)
