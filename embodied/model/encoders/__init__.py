# SPDX-License-Identifier: Apache-2.0
"""Encoders: the readings of one sense in, one or more feature vectors out. One file each.

A new sense is an encoder in a file and a line of the model's composition; nothing else changes.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from embodied.errors import EmbodiedError, check_name
from embodied.model.checkpoint import take_weights
from embodied.registry import Registry
from embodied.types import Reading


class Encoder(nn.Module):
    """(B, ...) readings to (B, T, `feature_dim`) features."""

    feature_dim: int
    grid: tuple[int, int] | None = None
    """Rows and columns where the T tokens are those of one picture."""
    history: int = 1
    """How many of the last readings it takes."""
    sees: ClassVar[bool] = False
    """Whether it reads pictures: its tokens are what a model without vision lacks."""
    recipe: ClassVar[str] = ""
    """The recipe that makes its weights, where they do not learn with the model."""

    @abstractmethod
    def prepare(self, readings: Sequence[Reading]) -> Tensor | None:
        """The last readings, oldest first, at least one and at most `history`, as `forward` takes them (unbatched).

        None for readings that this encoder was not made for, as the joints of another arm: the sense is then
        missing. Training and acting share it.
        """

    @abstractmethod
    def forward(self, value: Tensor) -> Tensor:
        """Encode a batch of what `prepare` made."""

    @classmethod
    def options_of(cls, source: str) -> Mapping[str, Any]:
        """Options that the weights at `source` say themselves. Raises CheckpointError where they should and do not."""
        return {}

    def take(self, source: str, what: str) -> None:
        """Read weights that were trained before, those of `what`. Raises CheckpointError where they do not fit."""
        take_weights(self, source, what, self.recipe or "vision")


ENCODERS: Registry[Callable[..., Encoder]] = Registry("encoder", group="embodied.encoders", package=__name__)
"""What builds an encoder from its options, by name."""


def grid_of(encoders: Mapping[str, Encoder], sense: str, act: str) -> tuple[int, int]:
    """Rows and columns of the tokens of a sense, in which somebody wants to `act`.

    Raises UnknownNameError for no sense of the model, EmbodiedError for one whose encoder gives no grid.
    """
    check_name("sense", sense, encoders)
    if (grid := encoders[sense].grid) is None:
        raise EmbodiedError(f"nobody can {act} in {sense!r}: its encoder gives no grid of tokens")
    return grid


def check_sizes(**sizes: int) -> None:
    """Raises ValueError for a size that is no whole number from 1 on."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be a whole number from 1 on, not {size!r}")


def expect(reading: Reading, *kinds: type) -> None:
    """Raises EmbodiedError for a reading that is none of `kinds`."""
    if not isinstance(reading, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise EmbodiedError(f"this encoder reads a {wanted}, and the sense gives a {type(reading).__name__}")
