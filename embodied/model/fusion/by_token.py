# SPDX-License-Identifier: Apache-2.0
"""Early fusion whose layers treat some tokens otherwise than the language model would: by parts of their own, or with a
correction. Each way begins as the language model itself. Where it is tokens of the senses, words are read as before,
whatever is learned: the language model does not forget how to read.
"""

import copy
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from embodied.model.backbone import Backbone
from embodied.model.encoders import check_sizes
from embodied.model.fusion import FUSIONS, Memory
from embodied.model.fusion.early import Early
from embodied.model.sentence import Embedded


class ByToken(Early):
    """Some modules of every layer have a counterpart, which gives what they would at tokens of the senses, and at
    words where it has those too.

    Raises ValueError where the layers of a language model have no such modules.
    """

    words_too: ClassVar[bool] = False
    """Whether counterparts speak for words as well."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone)
        self._names = [
            [name for name, module in layer.named_modules() if self._has(module)] for layer in backbone.layers
        ]
        if not all(self._names):
            raise ValueError(f"layers of {backbone.config.model_type!r} have none of the modules that it replaces")
        self.own = nn.ModuleList(
            nn.ModuleList(self._counterpart(layer.get_submodule(name)) for name in names)
            for layer, names in zip(backbone.layers, self._names, strict=True)
        )

    def prefill(self, backbone: Backbone, sentence: Embedded, memory: Memory | None) -> Tensor:
        with self._instead(backbone, (sentence.reading >= 0) | self.words_too):
            return super().prefill(backbone, sentence, memory)

    def extend(self, backbone: Backbone, words: Tensor, memory: Memory) -> Tensor:
        if not self.words_too:
            return super().extend(backbone, words, memory)
        with self._instead(backbone, torch.ones(words.shape[:2], dtype=torch.bool, device=words.device)):
            return super().extend(backbone, words, memory)

    @abstractmethod
    def _has(self, module: nn.Module) -> bool:
        """Whether a module of a layer has a counterpart."""

    @abstractmethod
    def _counterpart(self, module: Any) -> nn.Module:
        """Called with what the module reads at N tokens (N, ...), and with what it gives."""

    @contextmanager
    def _instead(self, backbone: Backbone, tokens: Tensor) -> Iterator[None]:
        """While it lasts, counterparts speak for the tokens that are marked (B, L) bool."""

        def put(own: nn.Module) -> Any:
            def hook(_: nn.Module, given: tuple[Tensor, ...], gives: Tensor) -> Tensor:
                changed = gives.clone()
                changed[tokens] = own(given[0][tokens], gives[tokens]).to(gives.dtype)
                return changed

            return hook

        handles = [
            layer.get_submodule(name).register_forward_hook(put(own))
            for layer, names, owned in zip(backbone.layers, self._names, self.own, strict=True)
            for name, own in zip(names, owned.children(), strict=True)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


class _Copy(nn.Module):
    """Begins as a copy, and learns on its own."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.copied = copy.deepcopy(module)

    def forward(self, read: Tensor, given: Tensor) -> Tensor:
        told: Tensor = self.copied(read)
        return told


class _LowRank(nn.Module):
    """Adds a product of two narrow maps, the second of which is zero at first (LoRA, Hu et al. 2021)."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(linear.in_features, rank, bias=False)
        self.up = nn.Linear(rank, linear.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, read: Tensor, given: Tensor) -> Tensor:
        added: Tensor = self.up(self.down(read.to(self.down.weight.dtype)))
        return given + added


class Expert(ByToken):
    """Tokens of the senses have linear maps of their own in attention and behind it (CogVLM, Wang et al. 2023)."""

    def _has(self, module: nn.Module) -> bool:
        return isinstance(module, nn.Linear)

    def _counterpart(self, module: Any) -> nn.Module:
        return _Copy(module)


class Norms(ByToken):
    """Tokens of the senses have norms of their own (the modality-adaptive ones of mPLUG-Owl2, Ye et al. 2023)."""

    def _has(self, module: nn.Module) -> bool:
        return "norm" in type(module).__name__.lower()

    def _counterpart(self, module: Any) -> nn.Module:
        return _Copy(module)


class PartialLora(ByToken):
    """Linear maps are corrected at tokens of the senses (InternLM-XComposer2, Dong et al. 2024)."""

    def __init__(self, backbone: Backbone, *, rank: int = 8) -> None:
        check_sizes(rank=rank)
        self._rank = rank
        super().__init__(backbone)

    def _has(self, module: nn.Module) -> bool:
        return isinstance(module, nn.Linear)

    def _counterpart(self, module: Any) -> nn.Module:
        return _LowRank(module, self._rank)


class Lora(PartialLora):
    """Linear maps are corrected at all tokens: with a frozen language model, that is what LoRA trains of it."""

    words_too = True


FUSIONS.register("expert", Expert)
FUSIONS.register("lora", Lora)
FUSIONS.register("norms", Norms)
FUSIONS.register("partial_lora", PartialLora)
