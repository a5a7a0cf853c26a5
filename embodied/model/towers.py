# SPDX-License-Identifier: Apache-2.0
"""Two towers, one for pictures and one for captions, that meet in one space (CLIP, Radford et al. 2021, section 2), and
what reads a caption beside a picture to say whether they belong together (ALBEF, Li et al. 2021, section 3.2)."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from embodied.model.encoders import Encoder

WIDTH, HEADS = 128, 4
_SCALE, _MOST = 1 / 0.07, 100.0
"""What similarities are multiplied by: before training, and at most (section 2.5)."""
_LAYER: dict[str, Any] = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}


class PictureTower(nn.Module):
    """An encoder, a layer in which what it tells of places comes together, and their mean."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        assert encoder.grid is not None
        self.encoder = encoder
        self.enter = nn.Linear(encoder.feature_dim, WIDTH)
        self.place = nn.Parameter(0.02 * torch.randn(encoder.grid[0] * encoder.grid[1], WIDTH))
        self.layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, **_LAYER)
        self.norm = nn.LayerNorm(WIDTH)
        self.leave = nn.Linear(WIDTH, WIDTH)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S, S, 3) to unit vectors (B, WIDTH), and (B, T, WIDTH) what they are the mean of."""
        states = self.norm(self.layer(self.enter(self.encoder(pictures)) + self.place))
        return nn.functional.normalize(self.leave(states.mean(dim=1)).float(), dim=-1), states


class TextTower(nn.Module):
    """A transformer over the numbers of words, of which 0 is none."""

    def __init__(self, words: int, longest: int = 128, depth: int = 2) -> None:
        super().__init__()
        self.table = nn.Embedding(words, WIDTH, padding_idx=0)
        self.place = nn.Parameter(0.02 * torch.randn(longest, WIDTH))
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, **_LAYER) for _ in range(depth))
        self.norm = nn.LayerNorm(WIDTH)
        self.leave = nn.Linear(WIDTH, WIDTH)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L) int64 to unit vectors (B, WIDTH), and (B, L, WIDTH) what they are the mean of."""
        states, none = self.table(ids) + self.place[: ids.shape[1]], ids == 0
        for layer in self.layers:
            states = layer(states, src_key_padding_mask=none)
        states = self.norm(states)
        return nn.functional.normalize(self.leave(mean_of(states, none)).float(), dim=-1), states


class Matcher(nn.Module):
    """Words that look at a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(WIDTH, HEADS, 2 * WIDTH, **_LAYER)
        self.tell = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 1))

    def forward(self, pictures: Tensor, texts: Tensor, ids: Tensor) -> Tensor:
        """States (B, T, WIDTH) of pictures and (B, L, WIDTH) of texts with `ids` to logits (B,) of a match."""
        none = ids == 0
        states = self.layer(texts, pictures, tgt_key_padding_mask=none)
        logits: Tensor = self.tell(mean_of(states, none)).squeeze(-1).float()
        return logits


class Towers(nn.Module):
    """Both, the scale of their similarities, and what looks twice."""

    def __init__(self, encoder: Encoder, words: int) -> None:
        super().__init__()
        self.pictures, self.texts, self.matcher = PictureTower(encoder), TextTower(words), Matcher()
        self.log_scale = nn.Parameter(torch.tensor(math.log(_SCALE)))

    @property
    def scale(self) -> Tensor:
        """What similarities are multiplied by; learned."""
        return self.log_scale.exp().clamp(max=_MOST)

    def losses(self, pictures: Tensor, ids: Tensor, same: Tensor) -> dict[str, Tensor]:
        """Parts of the loss on (B, S, S, 3) pictures and captions (C, L), of which the first B are theirs, in order.

        `same` (B, C) says which captions are equal to that of a picture.
        """
        towards, seen = self.pictures(pictures)
        meant, read = self.texts(ids)
        logits, count = self.scale * towards @ meant.T, len(pictures)
        text, picture = hardest(logits, same), hardest(logits[:, :count].T, same[:, :count].T)
        right = self.matcher(seen, read[:count], ids[:count])
        wrong_text = self.matcher(seen, read[text], ids[text])
        wrong = torch.cat([wrong_text, self.matcher(seen[picture], read[:count], ids[:count])])
        # Where all captions are equal, none is wrong.
        there = torch.cat([(~same).any(dim=1), (~same[:, :count]).any(dim=0)]).float()
        softplus = nn.functional.softplus
        return {
            "contrast": contrast(logits, same),
            "matching": softplus(-right).mean() + (there * softplus(wrong)).mean(),
            "scale": self.scale.detach(),
            "matched": torch.cat([right, right, -wrong]).gt(0).float().mean(),
        }


def contrast(logits: Tensor, same: Tensor) -> Tensor:
    """The loss of similarities (B, C) of pictures and captions, both ways (Radford et al. 2021, figure 3).

    The first B captions are those of the pictures; the others are of none, and are asked for no picture. Captions that
    are the `same` (B, C) are right for each other's pictures too, in equal shares.
    """
    own = len(logits)
    ways = ((logits, same), (logits[:, :own].T, same[:, :own].T))
    losses = [nn.functional.cross_entropy(each, right / right.sum(dim=1, keepdim=True)) for each, right in ways]
    return torch.stack(losses).mean()


def hardest(logits: Tensor, same: Tensor) -> Tensor:
    """(B,) of each row the most similar one that is wrong; any, where none is."""
    return logits.masked_fill(same, -math.inf).argmax(dim=1)


def mean_of(states: Tensor, none: Tensor) -> Tensor:
    """(B, L, D) to the mean (B, D) over what is not `none` (B, L)."""
    there = (~none).unsqueeze(-1).to(states.dtype)
    return (states * there).sum(dim=1) / there.sum(dim=1)
