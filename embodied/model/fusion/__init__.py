# SPDX-License-Identifier: Apache-2.0
"""Fusion: how the tokens of the senses meet the language model. One file each.

What every fusion gives is the same: a hidden state for each token of the sentence, readings and words alike, and the
states of further words that are written after it. Heads read those, and know nothing of how they came about.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from embodied.model.backbone import Backbone
from embodied.model.sentence import Embedded
from embodied.registry import Registry


@dataclass
class Memory:
    """What is kept of a sentence so that words can be written after it: `prefill` fills it, `extend` adds to it."""

    cache: Any  # keys and values of the language model
    context: Any = None  # whatever else a fusion looks at while it writes
    position: int = 0  # of the next word in its sentence
    length: int = 0  # tokens in the cache

    def take_back(self, count: int) -> None:
        """Forget the last `count` words that were written."""
        self.cache.crop(-count)
        self.position, self.length = self.position - count, self.length - count


class Fusion(nn.Module):
    """Built as `fusion(backbone, **options)`; it must not keep the backbone, which is given with every call."""

    reads_senses: ClassVar[bool] = True
    """Whether tokens of the senses go through the layers of the language model."""

    beside: tuple[str, ...] = ()
    """The senses that stand beside the language model, by name, where not all of them do."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()

    @abstractmethod
    def prefill(self, backbone: Backbone, sentence: Embedded, memory: Memory | None) -> Tensor:
        """Hidden states (B, L, D) of packed sentences.

        With a `memory`, of one sentence of one branch, what `extend` needs is kept in it.
        """

    @abstractmethod
    def extend(self, backbone: Backbone, words: Tensor, memory: Memory) -> Tensor:
        """Hidden states (1, K, D) of K words, embedded (1, K, D), that follow on what `memory` keeps."""


FUSIONS: Registry[Callable[..., Fusion]] = Registry("fusion", group="embodied.fusions", package=__name__)
"""What builds a fusion, by name."""
