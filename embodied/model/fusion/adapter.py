# SPDX-License-Identifier: Apache-2.0
"""Prompts beside a frozen language model, which attention of its layers reads behind gates that are closed at first
(LLaMA-Adapter, Zhang et al. 2023; V2, Gao et al. 2023).

Some prompts of each layer are learned; tokens of the senses stand among them. LLaMA-Adapter adds one feature of the
whole picture to each learned prompt instead, and V2 learns biases and norms of the language model besides.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from embodied.model.backbone import Backbone
from embodied.model.connectors import unit_rms
from embodied.model.encoders import check_sizes
from embodied.model.fusion import FUSIONS
from embodied.model.fusion.beside import Apart

_MAPS = {"q_proj", "k_proj", "v_proj", "o_proj"}
"""What attention is made of, of the layers that can have prompts."""


class _Prompts(nn.Module):
    """The learned prompts of a layer, and a gate for each head of its attention."""

    def __init__(self, dim: int, prompts: int, heads: int) -> None:
        super().__init__()
        self.prompts = nn.Parameter(torch.randn(prompts, dim))
        self.gate = nn.Parameter(torch.zeros(heads))

    def forward(self, attention: Any, asks: Tensor, shown: Tensor) -> Tensor:
        """What words find in the prompts, behind the gates, for `o_proj` (B, K, A).

        By the maps of the layer itself, in a softmax of its own (section 3.2). `asks` (B, K, A) is what `q_proj` makes
        of words, `shown` (B, T, D) are further prompts. They stand at no position.
        """
        prompts = torch.cat([self.prompts.to(shown.dtype).expand(len(shown), -1, -1), shown], dim=1)
        keys, values = _normed(attention, "k_norm", attention.k_proj(prompts)), attention.v_proj(prompts)
        size = asks.shape[-1] // len(self.gate)  # of a head
        asks = _normed(attention, "q_norm", asks)
        asks, keys, values = (torch.unflatten(each, -1, (-1, size)).transpose(1, 2) for each in (asks, keys, values))
        scale = getattr(attention, "scaling", None)
        found = nn.functional.scaled_dot_product_attention(asks, keys, values, scale=scale, enable_gqa=True)
        return (self.gate.tanh()[:, None, None] * found).transpose(1, 2).flatten(2)


class Adapter(Apart):
    """`prompts` learned ones in every layer from number `first` up.

    Raises ValueError where attention of a language model is not made of maps that can be asked one by one.
    """

    def __init__(self, backbone: Backbone, *, prompts: int = 10, first: int = 0) -> None:
        super().__init__(backbone)
        check_sizes(prompts=prompts)
        count = len(backbone.layers)
        if isinstance(first, bool) or not isinstance(first, int) or not 0 <= first < count:
            raise ValueError(f"first must be a layer, from 0 to {count - 1}, not {first!r}")
        for layer in backbone.layers:
            _attention(layer)
        heads = backbone.config.num_attention_heads
        self.own = nn.ModuleList(_Prompts(backbone.dim, prompts, heads) for _ in range(count - first))

    @contextmanager
    def looking(self, backbone: Backbone, senses: Tensor) -> Iterator[None]:
        upper, shown = [*backbone.layers][-len(self.own) :], unit_rms(senses)
        pairs = zip(upper, self.own.children(), strict=True)
        handles = [each for layer, own in pairs for each in _beside(_attention(layer), own, shown)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _beside(attention: Any, own: nn.Module, shown: Tensor) -> Iterator[RemovableHandle]:
    """Hooks by which the words that go through `attention` read the prompts too."""
    asked: list[Tensor] = []

    def ask(_: nn.Module, __: Any, asks: Tensor) -> None:
        asked.append(asks)

    def add(_: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        return (given[0] + own(attention, asked.pop(), shown).to(given[0].dtype),)

    yield attention.q_proj.register_forward_hook(ask)
    yield attention.o_proj.register_forward_pre_hook(add)


def _attention(layer: nn.Module) -> nn.Module:
    """Raises ValueError for a layer without one."""
    for module in layer.modules():
        if {name for name, _ in module.named_children()} >= _MAPS:
            return module
    raise ValueError(f"the layers have no attention that is made of {', '.join(sorted(_MAPS))}")


def _normed(attention: Any, name: str, states: Tensor) -> Tensor:
    """Some families norm what heads ask and what they are shown: each head, or all of them together."""
    norm: Any = getattr(attention, name, None)
    if norm is None:
        return states
    normed: Tensor = norm(torch.unflatten(states, -1, (-1, norm.weight.shape[-1])))
    return normed.flatten(-2)


FUSIONS.register("adapter", Adapter)
