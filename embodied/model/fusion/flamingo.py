# SPDX-License-Identifier: Apache-2.0
"""Words alone go through the language model, and look at the senses between its layers (Alayrac et al. 2022)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from embodied.model.backbone import Backbone
from embodied.model.encoders import check_sizes
from embodied.model.fusion import FUSIONS, Fusion, Memory
from embodied.model.fusion.early import write
from embodied.model.sentence import Embedded, allowed


class _GatedLook(nn.Module):
    """Cross-attention and two layers behind it, each let through by a gate that is closed at first (section 2.2)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.words, self.shown = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.think = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.look_gate, self.think_gate = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def forward(self, states: Tensor, context: Tensor) -> Tensor:
        """(B, K, D) words, after a look at (B, T, D) tokens of the senses."""
        shown = self.shown(context)
        found = self.attention(self.words(states), shown, shown, need_weights=False)[0]
        states = states + self.look_gate.tanh() * found
        thought: Tensor = states + self.think_gate.tanh() * self.think(states)
        return thought


class Flamingo(Fusion):
    """Before every layer whose number `every` divides, words look at all senses. The language model can stay frozen.

    Raises ValueError where `heads` do not divide its width.
    """

    reads_senses: ClassVar[bool] = False

    def __init__(self, backbone: Backbone, *, every: int = 1, heads: int = 4) -> None:
        super().__init__(backbone)
        check_sizes(every=every, heads=heads)
        if backbone.dim % heads:
            raise ValueError(f"heads must divide the language model's width {backbone.dim}, not {heads}")
        self._every = every
        self.looks = nn.ModuleList(_GatedLook(backbone.dim, heads) for _ in backbone.layers[::every])

    def prefill(self, backbone: Backbone, sentence: Embedded, memory: Memory | None) -> Tensor:
        words = sentence.reading[0] < 0
        context = sentence.embeddings[:, ~words]
        position = sentence.position[:, words] - int((~words).sum())
        mask = allowed(sentence.branch, sentence.reading)[:, :, words][..., words]
        if memory is not None:
            memory.context, memory.length, memory.position = context, int(words.sum()), int(position[0, -1]) + 1
        with self._looking(backbone, context):
            cache = None if memory is None else memory.cache
            read = backbone(sentence.embeddings[:, words], mask=mask, position_ids=position, cache=cache)
        states = sentence.embeddings.clone()  # a token of a sense stays what it is
        states[:, words] = read
        return states

    def extend(self, backbone: Backbone, words: Tensor, memory: Memory) -> Tensor:
        with self._looking(backbone, memory.context):
            return write(backbone, words, memory)

    @contextmanager
    def _looking(self, backbone: Backbone, context: Tensor) -> Iterator[None]:
        def before(look: nn.Module) -> Any:
            def hook(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
                return (look(given[0], context), *given[1:])

            return hook

        layers = list(backbone.layers)[:: self._every] if context.shape[1] else []  # nothing to look at
        handles = [
            layer.register_forward_pre_hook(before(look)) for layer, look in zip(layers, self.looks, strict=False)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


FUSIONS.register("flamingo", Flamingo)
