# SPDX-License-Identifier: Apache-2.0
"""A tokenizer that draws plain patches exactly, without having learnt to: each code is one of their colours."""

import numpy as np
import torch
from numpy.typing import NDArray

from embodied.model.codes import Tokenizer

SIDE_PX, PATCH_PX = 32, 16
OPTIONS = {"size_px": SIDE_PX, "patch_px": PATCH_PX, "width": 4, "codes": 8, "dim": 4}
COLOURS = np.array([[r, g, b] for r in (20, 220) for g in (20, 220) for b in (20, 220)], dtype=np.uint8)


@torch.no_grad()
def paint(tokenizer: Tokenizer) -> Tokenizer:
    """Make one of OPTIONS draw COLOURS: what stands in a patch is its mean colour, and its code's is drawn."""
    encoder, drawing = tokenizer.encoder, tokenizer.linear[0]
    for layer in (encoder.linear, drawing):
        layer.weight.zero_()
        layer.bias.zero_()
    encoder.vectors.zero_()
    encoder.vectors[:, :3] = torch.from_numpy(COLOURS).float() / 127.5 - 1.0
    for channel in range(3):
        encoder.linear.weight[channel, channel] = PATCH_PX**-2
        drawing.weight[channel * PATCH_PX**2 : (channel + 1) * PATCH_PX**2, channel] = 1.0
    return tokenizer


def plain(codes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(N, S, S, 3) pictures of patches (N, T) in the colours of these codes."""
    side = SIDE_PX // PATCH_PX
    return COLOURS[codes].reshape(-1, side, side, 3).repeat(PATCH_PX, axis=1).repeat(PATCH_PX, axis=2)
