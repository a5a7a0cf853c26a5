# SPDX-License-Identifier: Apache-2.0
"""The multimodal sentence: words and sensor readings in any order, any number (PaLM-E, section 3).

`sentence` builds it, for training and for acting. Sentences are packed: several commands about one moment share its
readings. The sequence is a prefix (branch 0) followed by branches that see the prefix and themselves, never each other.
Tokens of one sensor reading see each other in both directions; all else is causal. Acting is the case of one branch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor

from embodied.language import door
from embodied.language.seen import Entity, told

Things = tuple[tuple[Entity, ...] | None, ...]
"""What is named in each of several sentences; None where nobody looked."""


@dataclass(frozen=True)
class Text:
    """A run of words."""

    text: str


@dataclass(frozen=True)
class Sensor:
    """One reading of one sense of the model."""

    sense: str
    value: Tensor  # as the sense's encoder takes it, without a batch axis
    features: Tensor | None = None
    """(T, F) what the encoder makes of it, where that is known already: a frozen encoder says the same every time."""


@dataclass(frozen=True)
class Branch:
    """One command about the prefix: the words that ask, and the tokens that answer, where they are known."""

    question: Text
    answer: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sentence:
    """What all commands share, and the commands."""

    prefix: tuple[Text | Sensor, ...]
    branches: tuple[Branch, ...] = ()


PREFIX = 0
"""The branch of the shared prefix."""
PADDING = -1

SEEN = "Seen:"
"""What stands before the things that are seen, and closes them off from the command."""
SAID = "Command:"
"""What stands before a command, since the first word of a text stands for nothing in a language model."""
PLANNED = Text("\nPlan:")
"""What stands before a plan that is known: the command's words have done their work."""


def asking(instruction: str | None, answer: tuple[int, ...] = ()) -> Branch:
    """The branch of a command; without its words where the plan that answers it is all that is left of it.

    The words are as a policy hears them, also where somebody wrote them into a dataset.
    """
    if instruction is None:
        return Branch(PLANNED, answer)
    return Branch(Text(f"{SAID} {door.plain(instruction)}{PLANNED.text}"), answer)


def seeing(things: Sequence[Entity]) -> Text:
    """The things in a picture, as words that stand before all commands."""
    return Text(f"{SEEN} {told(things)}.\n")


def sentence(senses: Mapping[str, Sensor], branches: Sequence[Branch]) -> Sentence:
    """The sentence of one moment: its readings, in the order of `senses`, then the commands."""
    return Sentence(tuple(senses.values()), tuple(branches))


@dataclass(frozen=True)
class Place:
    """Where a branch stands in its sequence: its question, and its answer from there to the end."""

    start: int
    answer: int
    end: int


class Row:
    """The words of one sentence, behind `start` tokens of readings: what is `seen`, which all branches share, and the
    branches."""

    def __init__(self, start: int, seen: Sequence[int]) -> None:
        self.seen, self.start = tuple(seen), start
        self.ids, self.numbers = [*seen], [PREFIX] * len(seen)
        self.branches, self.places = list[tuple[int, ...]](), list[Place]()

    def add(self, question: Sequence[int], answer: Sequence[int]) -> None:
        """One more branch."""
        begin = self.start + len(self.ids)
        ids = (*question, *answer)
        self.places.append(Place(begin, begin + len(question), begin + len(ids)))
        self.branches.append(ids)
        self.ids += ids
        self.numbers += [len(self.branches)] * len(ids)

    def said(self) -> tuple[tuple[int, ...], ...]:
        """The tokens of each branch, behind those of what is seen."""
        return tuple((*self.seen, *each) for each in self.branches)


@dataclass(frozen=True)
class Embedded:
    """B packed sentences as the language model reads them, L tokens each with the padding."""

    embeddings: Tensor  # (B, L, D)
    branch: Tensor  # (B, L) int, PREFIX, 1 and up, or PADDING
    reading: Tensor  # (B, L) int, equal and >= 0 within one sensor reading, -1 for words and padding
    position: Tensor  # (B, L) int, of each token in its own sentence
    spans: Mapping[str, tuple[int, int]]  # [start, end) of each sense, the same in all sentences
    features: Mapping[str, Tensor]  # (B, T, F) of each sense
    places: tuple[tuple[Place, ...], ...]  # of the branches of each sentence
    said: tuple[tuple[tuple[int, ...], ...], ...]  # their tokens, behind those of what is seen
    things: Things = ()
    across: Mapping[str, int] = field(default_factory=dict)  # tokens in a row of a sense's grid, where it has one
    kept: Mapping[str, Tensor] = field(default_factory=dict)
    """(K,) which tokens are left of a sense that was thinned."""

    def of(self, sense: str) -> Tensor:
        """(B, T, D) the tokens of a sense."""
        start, end = self.spans[sense]
        return self.embeddings[:, start:end]

    def thinned(self, sense: str, tokens: Tensor) -> Self:
        """The sentences with only some of the tokens of one sense, each at its old position.

        `tokens` is (K,) int, increasing, counted from the sense's first. A sense is thinned once.
        """
        assert sense not in self.kept, f"{sense} was thinned before"
        start, end = self.spans[sense]
        every = torch.arange(self.branch.shape[1], device=self.branch.device)
        kept = torch.cat([every[:start], start + tokens, every[end:]])
        gone = end - start - len(tokens)

        def moved(index: int) -> int:
            return index - gone if index >= end else index

        spans = {name: (moved(a), moved(b)) for name, (a, b) in self.spans.items()} | {sense: (start, end - gone)}
        places = tuple(
            tuple(Place(moved(each.start), moved(each.answer), moved(each.end)) for each in row) for row in self.places
        )
        return replace(
            self,
            embeddings=self.embeddings[:, kept],
            branch=self.branch[:, kept],
            reading=self.reading[:, kept],
            position=self.position[:, kept],
            spans=spans,
            features=dict(self.features) | {sense: self.features[sense][:, tokens]},
            places=places,
            kept=dict(self.kept) | {sense: tokens},
        )


def allowed(branch: Tensor, reading: Tensor) -> Tensor:
    """Attention mask of packed sequences.

    Args:
        branch: (B, L) int, PREFIX for the shared prefix, k >= 1 for branch k, PADDING for padding.
        reading: (B, L) int, equal and >= 0 within one sensor reading, -1 for words and padding.

    Returns:
        (B, 1, L, L) bool, True where the row's token may look at the column's.
    """
    length = branch.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    rows, columns = branch[:, :, None], branch[:, None, :]
    visible = causal & ((columns == rows) | (columns == PREFIX))
    within = (reading[:, :, None] == reading[:, None, :]) & (reading[:, :, None] >= 0)
    mask = visible | within
    # A padding row must see something, or its softmax is NaN and spoils the gradients of the rest.
    diagonal = torch.eye(length, dtype=torch.bool, device=branch.device)
    return ((mask & (columns >= 0)) | diagonal).unsqueeze(1)


def positions(branch: Tensor) -> Tensor:
    """(B, L) position of each token: every branch goes on where the prefix ended."""
    prefix_length = (branch == PREFIX).sum(dim=1, keepdim=True)
    index = torch.arange(branch.shape[1], device=branch.device).expand_as(branch)
    new_branch = torch.ones_like(branch, dtype=torch.bool)
    new_branch[:, 1:] = branch[:, 1:] != branch[:, :-1]
    start = torch.where(new_branch, index, torch.zeros_like(index)).cummax(dim=1).values
    return torch.where(branch == PREFIX, index, prefix_length + index - start)
