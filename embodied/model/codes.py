# SPDX-License-Identifier: Apache-2.0
"""Pictures to codes and back (VQ-VAE, van den Oord et al. 2017). Recipe `codes` trains it; a model that has it does
not."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from embodied.model.encoders.codes import CodesEncoder, from_nothing, widths
from embodied.model.encoders.conv import Residual


class Tokenizer(nn.Module):
    """What reads the codes of a picture, and what draws a picture of codes."""

    recipe = CodesEncoder.recipe

    def __init__(
        self, *, size_px: int = 160, patch_px: int = 8, width: int = 16, codes: int = 512, dim: int = 32
    ) -> None:
        super().__init__()
        sizes = {"size_px": size_px, "patch_px": patch_px, "width": width, "codes": codes, "dim": dim}
        self.encoder = CodesEncoder(**sizes)
        assert self.encoder.grid is not None
        self.grid = self.encoder.grid
        self.linear = nn.Sequential(nn.Conv2d(dim, 3 * patch_px**2, 1), nn.PixelShuffle(patch_px))
        wide = widths(width, patch_px)[::-1]
        doubled = [
            layer
            for here, there in pairwise(wide)
            for layer in (nn.Conv2d(here, 4 * there, 1), nn.PixelShuffle(2), Residual(there))
        ]
        self.network = nn.Sequential(
            *(nn.Conv2d(dim, wide[0], 3, padding=1), Residual(wide[0]), Residual(wide[0]), *doubled),
            *(nn.GroupNorm(8, wide[-1]), nn.SiLU()),
            *(from_nothing(nn.Conv2d(wide[-1], 48, 3, padding=1)), nn.PixelShuffle(4)),
        )
        self.requires_grad_(False)

    def codes(self, pictures: Tensor) -> Tensor:
        """(B, T) int, the codes of (B, S, S, 3) uint8 pictures."""
        return self.encoder.codes(pictures)

    def planes(self, vectors: Tensor) -> Tensor:
        """(B, 3, S, S), about from -1 to 1, drawn of a vector for each patch (B, T, D)."""
        cells = torch.unflatten(vectors.transpose(1, 2), 2, self.grid)
        drawn: Tensor = self.linear(cells) + self.network(cells)
        return drawn

    def drawn(self, codes: Tensor) -> Tensor:
        """(B, S, S, 3) uint8 pictures of the codes (B, T)."""
        levels = 127.5 * (self.planes(self.encoder.vectors[codes]).float().clamp(-1.0, 1.0) + 1.0)
        return levels.round().to(torch.uint8).permute(0, 2, 3, 1)
