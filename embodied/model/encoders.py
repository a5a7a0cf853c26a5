# SPDX-License-Identifier: Apache-2.0
"""Encoders: one sensor reading in, one or more feature vectors out. Projectors: those in, tokens out.

A new sensor registers an encoder under a name and is switched on by one line of the model's
configuration; nothing else changes.
"""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from embodied.errors import check_name


class Encoder(nn.Module):
    """(B, ...) readings to (B, T, `feature_dim`) features; `grid` is set where T is a picture grid."""

    feature_dim: int
    grid: tuple[int, int] | None = None

    @abstractmethod
    def forward(self, value: Tensor) -> Tensor:
        """Encode a batch of readings."""


ENCODERS: dict[str, Callable[..., Encoder]] = {}


def register_encoder(name: str) -> Callable[[type[Encoder]], type[Encoder]]:
    """Class decorator: make an encoder known under `name`."""

    def add(cls: type[Encoder]) -> type[Encoder]:
        assert name not in ENCODERS, f"encoder {name} is registered twice"
        ENCODERS[name] = cls
        return cls

    return add


def make_encoder(name: str, options: dict[str, int]) -> Encoder:
    """The encoder `name` built with `options`. Raises UnknownNameError listing the valid names."""
    check_name("encoder", name, ENCODERS)
    return ENCODERS[name](**options)


class _Residual(nn.Module):
    """Two 3x3 convolutions around a skip (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(nn.functional.silu(self.norm1(x)))
        skip: Tensor = x + self.conv2(nn.functional.silu(self.norm2(h)))
        return skip


@register_encoder("conv")
class ConvEncoder(Encoder):
    """A small residual network: (B, S, S, 3) uint8 pictures to a grid of S / 16 squared features."""

    stride_px = 16

    def __init__(self, *, size_px: int = 160, width: int = 32) -> None:
        super().__init__()
        if size_px % self.stride_px:
            raise ValueError(f"size_px must be a multiple of {self.stride_px}, got {size_px}")
        self.size_px, self.feature_dim = size_px, 6 * width
        self.grid = (size_px // self.stride_px, size_px // self.stride_px)
        self.layers = nn.Sequential(
            # A patch stem: plain convolutions at full resolution would cost more than all the rest.
            nn.Conv2d(3, 2 * width, 4, stride=4),
            nn.SiLU(),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
            _Residual(4 * width),
            nn.Conv2d(4 * width, 6 * width, 3, stride=2, padding=1),
            _Residual(6 * width),
            _Residual(6 * width),
            nn.GroupNorm(8, 6 * width),
        )

    def forward(self, value: Tensor) -> Tensor:
        if value.shape[1:] != (self.size_px, self.size_px, 3):
            raise ValueError(f"pictures must be (B, {self.size_px}, {self.size_px}, 3), got {tuple(value.shape)}")
        weight = self.layers[0].weight
        assert isinstance(weight, Tensor)
        x = value.permute(0, 3, 1, 2).to(weight.dtype) / 127.5 - 1.0
        features: Tensor = self.layers(x.contiguous(memory_format=torch.channels_last))
        return features.flatten(2).transpose(1, 2)


@register_encoder("mlp")
class MlpEncoder(Encoder):
    """A state vector to one feature: (B, `size`) to (B, 1, `hidden`) (PaLM-E's state encoder)."""

    def __init__(self, *, size: int, hidden: int = 128) -> None:
        super().__init__()
        self.size, self.feature_dim = size, hidden
        self.layers = nn.Sequential(nn.Linear(size, hidden), nn.SiLU(), nn.Linear(hidden, hidden))

    def forward(self, value: Tensor) -> Tensor:
        features: Tensor = self.layers(value.to(self.layers[0].weight.dtype))  # type: ignore[arg-type]
        return features.unsqueeze(-2)


class Projector(nn.Module):
    """An affine map (PaLM-E's psi), normalised to `text_scale`, plus a position code on grids.

    Features of a vision encoder come with a norm far above that of word embeddings, which makes any
    position code unreadable after the first RMSNorm. So a token is normalised to the text's scale, and
    a learned 2-D position code of the same scale is added to picture tokens.
    """

    text_scale: Tensor

    def __init__(
        self, feature_dim: int, embedding_dim: int, *, text_scale: float, grid: tuple[int, int] | None
    ) -> None:
        super().__init__()
        self.register_buffer("text_scale", torch.tensor(text_scale))  # saved, as it belongs to the words
        self.affine = nn.Linear(feature_dim, embedding_dim)
        self.rows = self.columns = None
        if grid is not None:
            self.rows = nn.Parameter(torch.randn(grid[0], 1, embedding_dim))
            self.columns = nn.Parameter(torch.randn(1, grid[1], embedding_dim))

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, feature_dim) to (B, T, embedding_dim), each token of root-mean-square `text_scale`."""
        tokens = _unit_rms(self.affine(features))
        if self.rows is not None and self.columns is not None:
            tokens = tokens + _unit_rms((self.rows + self.columns).flatten(0, 1))
        return self.text_scale * _unit_rms(tokens)


def _unit_rms(x: Tensor) -> Tensor:
    return nn.functional.rms_norm(x, x.shape[-1:])
