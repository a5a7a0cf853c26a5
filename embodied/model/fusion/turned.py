# SPDX-License-Identifier: Apache-2.0
"""Early fusion in which a picture's tokens have places in two dimensions: keys turn by their row and their column too
(M-RoPE; Qwen2-VL, Wang et al. 2024, section 2.1). Words are read as before."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from embodied.model.backbone import Backbone
from embodied.model.fusion import FUSIONS, Memory
from embodied.model.fusion.early import Early
from embodied.model.sentence import Embedded

_WHEN_SHARE = 4
"""One pair of numbers of so many turns by when a token comes; the others by its row, and as many by its column."""


class Turned(Early):
    """All tokens of a grid come at one time, that of the first; a word behind them where it came before.

    Raises ValueError where the language model does not turn keys by their places.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone)
        if not _rotaries(backbone):
            raise ValueError(f"{backbone.config.model_type!r} does not turn keys by their places")

    def prefill(self, backbone: Backbone, sentence: Embedded, memory: Memory | None) -> Tensor:
        with _placed(backbone, self.places(sentence)):
            return super().prefill(backbone, sentence, memory)

    def places(self, sentence: Embedded) -> Tensor:
        """(3, B, L) int: when each token comes, its row and its column; of words all three are one."""
        places = sentence.position.expand(3, -1, -1).clone()
        for sense, (start, end) in sentence.spans.items():
            if sense not in sentence.across:
                continue
            number = sentence.kept.get(sense, torch.arange(end - start, device=places.device))
            first = places[:, :, start : start + 1] - number[0]  # where its first token stood before it was thinned
            row, column = number // sentence.across[sense], number % sentence.across[sense]
            places[:, :, start:end] = first + torch.stack([torch.zeros_like(row), row, column])[:, None]
        return places


def _rotaries(backbone: Backbone) -> list[nn.Module]:
    """What tells the layers how far keys turn at a place."""
    found = {module for name, module in backbone.trunk.named_modules() if name.split(".")[-1] == "rotary_emb"}
    return list(found)


@contextmanager
def _placed(backbone: Backbone, places: Tensor) -> Iterator[None]:
    """While it lasts, keys turn by `places` (3, B, L) instead of those that are given."""

    def hook(module: nn.Module, given: tuple[Any, ...], more: dict[str, Any], _: Any) -> tuple[Tensor, ...]:
        states, others = given[0], {name: value for name, value in more.items() if name != "position_ids"}
        ways = [module.forward(states, axis, **others) for axis in places]
        return tuple(_mixed(parts) for parts in zip(*ways, strict=True))

    handles = [module.register_forward_hook(hook, with_kwargs=True) for module in _rotaries(backbone)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _mixed(ways: tuple[Tensor, ...]) -> Tensor:
    """(B, L, D) of three such: each pair of numbers, d and d + D / 2, of one of them."""
    half = ways[0].shape[-1] // 2
    when = half // _WHEN_SHARE
    rows = (half - when) // 2
    sizes = [when, rows, half - when - rows]
    axis = torch.tensor([number for number, size in enumerate(sizes) for _ in range(size)] * 2, device=ways[0].device)
    return torch.stack(ways, dim=-1).gather(-1, axis.expand(*ways[0].shape[:2], -1).unsqueeze(-1)).squeeze(-1)


FUSIONS.register("turned", Turned)
