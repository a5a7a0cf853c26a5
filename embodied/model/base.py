# SPDX-License-Identifier: Apache-2.0
"""The lower layers of a language model, which read the words of a command and are never trained.

What a word means that training never said is known by the whole of a language model, and most of it lies below. These
layers stay as they came: they are read from an installed package or a folder, named by the digest of their file, and a
checkpoint holds nothing of them. They read words alone, without the senses: what is seen where it is told in words, the
command, its answer. What they make of a command is worked out once. The layers above, which are trained, join it with
the senses.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from embodied.errors import CheckpointError, shown
from embodied.model.backbone import Backbone, Int8Embedding
from embodied.model.composition import BaseConfig
from embodied.model.kept import kept
from embodied.model.sentence import PREFIX, allowed, positions
from embodied.packages import checked_file

_REMEMBERED = 16
"""Readings that are kept: commands with what was written after them, and plans that are known."""
_DIGEST, _WEIGHTS = re.compile("[0-9a-f]{64}"), "model.safetensors"
_TOGETHER = 8
"""Branches that are read at once."""
_GGUF = ".gguf"


@dataclass
class _Reading:
    """What was read so far: keys and values of every layer, the states in pieces (K, D), and how many words."""

    cache: Any
    states: list[Tensor] = field(default_factory=list)
    length: int = 0


class Base(nn.Module):
    """The first layers of a causal language model, without a gradient and without a place in a checkpoint."""

    def __init__(self, below: Backbone) -> None:
        super().__init__()
        below.unnormed()
        self._below = below.eval()
        for module in [*self.modules()]:  # what nobody trains and nobody stores is a buffer that does not persist
            for name, parameter in [*module.named_parameters(recurse=False)]:
                delattr(module, name)
                module.register_buffer(name, parameter.data, persistent=False)
            module._non_persistent_buffers_set.update(name for name, _ in module.named_buffers(recurse=False))
        self._known: OrderedDict[tuple[int, ...], _Reading] = OrderedDict()

    @property
    def dim(self) -> int:
        """Width of what it makes of a word."""
        return self._below.dim

    @property
    def embedding(self) -> Int8Embedding:
        """The table of words, which the layers above share."""
        return self._below.embedding

    @torch.no_grad()
    def forward(self, shared: Sequence[int], branches: Sequence[Sequence[int]]) -> Tensor:
        """(K, D) float, what words mean among each other: those that are `shared`, then those of each branch, which
        follow on the shared ones and not on each other; all are token ids.

        What is read alone is kept, so that `after` can go on from it.
        """
        if self.training or len(branches) != 1:
            return self._read(shared, branches)
        said = (*shared, *branches[0])
        reading = self._taken(said)
        self._keep(said, reading)
        return torch.cat(reading.states)

    @torch.no_grad()
    def after(self, said: Sequence[int], ids: Sequence[int]) -> Tensor:
        """(K, D) of K more words `ids` that follow on those that were `said`."""
        reading = self._further(self._taken(tuple(said)), ids)
        self._keep((*said, *ids), reading)
        return reading.states[-1]

    def take_back(self, said: Sequence[int], count: int) -> None:
        """Forget the last `count` words of those that were `said`, as far as they are kept."""
        reading = self._known.pop(tuple(said), None)
        if reading is None:
            return
        reading.cache.crop(-count)
        reading.states, reading.length = [torch.cat(reading.states)[:-count]], reading.length - count
        self._keep(tuple(said[:-count]), reading)

    def _taken(self, said: tuple[int, ...]) -> _Reading:
        """What was read of these words, no longer kept; what of them was not read yet is read now."""
        if (reading := self._known.pop(said, None)) is not None:
            return reading
        begun = self._begun(said)
        return begun if begun.length == len(said) else self._further(begun, said[begun.length :])

    def _begun(self, said: tuple[int, ...]) -> _Reading:
        """A copy of the reading that goes on as these words do for longest, up to there: what is seen stands before
        what is said of it, and is told in the same words until something moves."""
        begun = _Reading(self._below.new_cache())
        count, like = max(((_alike(said, other), other) for other in self._known), default=(0, ()))
        if count:
            found = self._known[like]
            for number, layer in enumerate(found.cache.layers):
                begun.cache.update(layer.keys[:, :, :count].clone(), layer.values[:, :, :count].clone(), number)
            begun.states, begun.length = [torch.cat(found.states)[:count]], count
        return begun

    def _further(self, reading: _Reading, ids: Sequence[int]) -> _Reading:
        before, count, device = reading.length, len(ids), self.embedding.weight.device
        states = self._below(
            self.embedding(torch.tensor([ids], device=device, dtype=torch.long)).to(self.dtype),
            mask=torch.ones(1, 1, count, before + count, dtype=torch.bool, device=device).tril(before),
            position_ids=torch.arange(before, before + count, device=device).unsqueeze(0),
            cache=reading.cache,
        )
        reading.states.append(states[0])
        reading.length += count
        return reading

    def _keep(self, said: tuple[int, ...], reading: _Reading) -> None:
        self._known[said] = reading
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _read(self, shared: Sequence[int], branches: Sequence[Sequence[int]]) -> Tensor:
        """A few branches at a time: each looks past all others, and that takes the square of their number."""
        if not shared and not branches:  # a moment about which nobody said anything
            return torch.zeros(0, self.dim, dtype=self.dtype, device=self.embedding.weight.device)
        states = list[Tensor]()
        for start in range(0, max(len(branches), 1), _TOGETHER):
            read = self._packed(shared, branches[start : start + _TOGETHER])
            states.append(read[len(shared) if start else 0 :])
        return torch.cat(states)

    def _packed(self, shared: Sequence[int], branches: Sequence[Sequence[int]]) -> Tensor:
        device = self.embedding.weight.device
        ids = torch.tensor([[*shared, *(token for each in branches for token in each)]], device=device)
        numbers = [number for number, each in enumerate(branches, start=PREFIX + 1) for _ in each]
        branch = torch.tensor([[PREFIX] * len(shared) + numbers], device=device)
        states: Tensor = self._below(
            self.embedding(ids.long()).to(self.dtype),
            mask=allowed(branch, torch.full_like(branch, -1)),
            position_ids=positions(branch),
        )
        return states[0]

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type that it computes in."""
        return next(b for b in self._below.trunk.buffers() if b.is_floating_point()).dtype  # type: ignore[no-any-return]

    def _apply(self, fn: Any, recurse: bool = True) -> "Base":
        self._known.clear()  # they are of another device or type
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def train(self, mode: bool = True) -> "Base":
        """As of any module; the layers themselves stay as they are."""
        super().train(mode)
        self._below.eval()
        self._known.clear()
        return self


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many words both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def read_base(config: BaseConfig) -> tuple[Base, BaseConfig]:
    """The base that `config` names, and `config` with the digest of its file.

    Raises CheckpointError where it is not there, is another one than `config` says, or is no language model.
    """
    path, digest = checked_file(config.source, config.file, config.sha256)

    def read() -> Backbone:
        return Backbone.from_causal_lm(str(path.parent), layers=config.layers, gguf_file=gguf_of(config.file))

    return Base(kept(f"base-{digest[:16]}-{config.layers}", read)), replace(config, sha256=digest)


def read_checked(config: BaseConfig, where: str) -> Base:
    """The base that a checkpoint names, which comes from anywhere: one file, whose digest it has to say.

    Raises CheckpointError.
    """
    if not _DIGEST.fullmatch(config.sha256) or (gguf_of(config.file) is None and config.file != _WEIGHTS):
        what = f"the SHA-256 of one file, {_WEIGHTS} or GGUF"
        raise CheckpointError(f"{where} must name its base by {what}, not {shown(config.file)}")
    return read_base(config)[0]


def gguf_of(file: str) -> str | None:
    """The file as what transformers calls a `gguf_file`; None for safetensors."""
    return file if file.endswith(_GGUF) else None
