# SPDX-License-Identifier: Apache-2.0
"""Senses stand beside the language model, and what goes through it looks at them: words alone, or some senses too."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from embodied.model.backbone import Backbone
from embodied.model.fusion import Fusion, Memory
from embodied.model.fusion.early import write
from embodied.model.sentence import Embedded, allowed


class Apart(Fusion):
    """How words look is said by `looking`; the language model itself can stay frozen.

    Args:
        beside: the senses that stand beside it; the others stand between words, as in early fusion. None: all do.
    """

    reads_senses: ClassVar[bool] = False

    def __init__(self, backbone: Backbone, *, beside: Sequence[str] = ()) -> None:
        super().__init__(backbone)
        self.beside = tuple(beside)

    @abstractmethod
    def looking(self, backbone: Backbone, senses: Tensor) -> AbstractContextManager[None]:
        """While it lasts, words in the layers look at (B, T, D) tokens of the senses, of which there may be none."""

    def prefill(self, backbone: Backbone, sentence: Embedded, memory: Memory | None) -> Tensor:
        through = self._through(sentence)
        context = sentence.embeddings[:, ~through]
        position = (sentence.position - (~through).cumsum(dim=0))[:, through]
        mask = allowed(sentence.branch, sentence.reading)[:, :, through][..., through]
        if memory is not None:
            memory.context, memory.length, memory.position = context, int(through.sum()), int(position[0, -1]) + 1
        with self.looking(backbone, context):
            cache = None if memory is None else memory.cache
            read = backbone(sentence.embeddings[:, through], mask=mask, position_ids=position, cache=cache)
        states = sentence.embeddings.clone()  # a token that stands beside stays what it is
        states[:, through] = read
        return states

    def _through(self, sentence: Embedded) -> Tensor:
        """(L,) bool, which tokens go through the language model."""
        if not self.beside:
            return sentence.reading[0] < 0
        through = torch.ones_like(sentence.reading[0], dtype=torch.bool)
        for start, end in (sentence.spans[name] for name in self.beside if name in sentence.spans):
            through[start:end] = False
        return through

    def extend(self, backbone: Backbone, words: Tensor, memory: Memory) -> Tensor:
        with self.looking(backbone, memory.context):
            return write(backbone, words, memory)


class Beside(Apart):
    """They look between layers: what they see is said by `look`."""

    @abstractmethod
    def look(self, number: int, words: Tensor, senses: Tensor) -> Tensor:
        """(B, K, D) states of words before the layer `number`, after a look at (B, T, D) tokens of the senses."""

    @contextmanager
    def looking(self, backbone: Backbone, senses: Tensor) -> Iterator[None]:
        def before(number: int) -> Any:
            def hook(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
                return (self.look(number, given[0], senses), *given[1:])

            return hook

        layers = backbone.layers if senses.shape[1] else ()  # nothing to look at
        handles = [layer.register_forward_pre_hook(before(number)) for number, layer in enumerate(layers)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
