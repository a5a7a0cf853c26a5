# SPDX-License-Identifier: Apache-2.0
"""What the language model made of packed sentences: what heads read, in training and in acting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from embodied.errors import ObservationError
from embodied.model.sentence import Embedded

WordEmbedding = Callable[[Sequence[int]], Tensor]
"""(K,) token ids to (K, D) float32."""


class Writing(Protocol):
    """Goes on writing after a sentence, for whoever holds its states."""

    def extend(self, ids: Sequence[int]) -> Tensor:
        """Hidden states (1, K, D) of K more words."""

    def take_back(self, count: int) -> None:
        """Forget the last words that were written."""


@dataclass(frozen=True)
class Hidden:
    """A hidden state for every token of B sentences, and for the words that were written after them."""

    states: Tensor  # (B, L, D) float
    sentence: Embedded
    words: WordEmbedding
    writing: Writing | None = None
    """None where nothing can be written after the sentences."""
    half: Tensor | None = None
    """(B, L, D) the states half way up the trained layers, in training; None where nobody learns of them."""

    def of(self, sense: str) -> Tensor:
        """(B, T, D) the states at the tokens of a sense. Raises ObservationError where the sentences have none."""
        if sense not in self.sentence.spans:
            has = ", ".join(self.sentence.spans) or "no sense"
            raise ObservationError(f"the model needs its sense {sense!r} here; the sentence has: {has}")
        start, end = self.sentence.spans[sense]
        return self.states[:, start:end]

    def asked(self) -> tuple[Tensor, Tensor]:
        """(rows, columns) of each branch's last token before its answer: what is wanted is known there, and no more."""
        places = [(row, each.answer - 1) for row, branches in enumerate(self.sentence.places) for each in branches]
        rows, columns = torch.tensor(places, device=self.states.device).reshape(-1, 2).unbind(dim=1)
        return rows, columns

    def written(self, ids: Sequence[int]) -> Self:
        """These states, and those of the words `ids` written after them."""
        assert self.writing is not None, "these sentences were read without a memory"
        return replace(self, states=torch.cat([self.states, self.writing.extend(ids)], dim=1))

    def without(self, count: int) -> Self:
        """These states as they were before the last `count` words were written."""
        assert self.writing is not None and 0 < count < self.states.shape[1]
        self.writing.take_back(count)
        return replace(self, states=self.states[:, :-count])
