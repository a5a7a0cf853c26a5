# SPDX-License-Identifier: Apache-2.0
"""The next actions as compressed words, written one after the other (pi0-FAST, Pertsch et al. 2025).

There the language model writes them, with rarely used words of its own. Here a small recurrent network does, which
begins with what the language model says at the last word of the command: its own words stay what they are. Actions are
normalised by mean and deviation, as in all heads, and not by quantiles.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from embodied.data.sample import Actions
from embodied.model.encoders import check_sizes
from embodied.model.heads import HEADS, Host
from embodied.model.heads.acting import ACTIONS, Acting
from embodied.model.heads.action_words import ActionWords, learned, waves, words_of
from embodied.model.heads.bins import WIDEST

_MOST_SCALE = 100.0
_MOST_CHUNKS = 4096
"""Of the recorded actions, from which words are learned."""
_NOTHING = -100
"""What cross-entropy passes over."""


class FastHead(Acting):
    """Up to `words` words. A wave's level is a `scale`-th of the actions' standard deviation.

    A chunk is done when all of its levels are written: no word says so.
    """

    merges: Tensor

    def __init__(
        self, host: Host, *, steps: int = 8, hidden: int = 256, words: int = 1024, scale: float = 10.0
    ) -> None:
        super().__init__(host, steps=steps, hidden=hidden)
        check_sizes(words=words)
        if not 0 < scale <= _MOST_SCALE:
            raise ValueError(f"scale must be above 0 and at most {_MOST_SCALE:g}, not {scale}")
        self.scale, self.most = scale, math.ceil(scale * WIDEST * math.sqrt(steps))
        self.letters, self.whole = 2 * self.most + 1, steps * ACTIONS
        if words < self.letters:
            raise ValueError(f"words must be at least {self.letters} for steps={steps} and scale={scale}, not {words}")
        # Saved: pairs of words that make another; -1 where there is none.
        self.register_buffer("merges", torch.full((words - self.letters, 2), -1))
        self.register_load_state_dict_post_hook(_check_words)  # type: ignore[no-untyped-call]
        self.said = nn.Embedding(words + 1, hidden)  # the last: nothing yet
        self.place = nn.Embedding(self.whole, hidden)
        self.writer = nn.GRU(hidden, hidden, batch_first=True)
        self.next = nn.Linear(hidden, words)

    @property
    def words(self) -> ActionWords:
        """What it writes. Raises CheckpointError where a checkpoint holds none."""
        merges = tuple((first, second) for first, second in self.merges.tolist() if first >= 0)
        return words_of(self.letters, merges, self.whole)

    def fit(self, actions: Actions) -> None:
        """As all heads that act; words are learned of the actions together with their mean."""
        known = bool(self.fitted)
        super().fit(actions)
        if known:
            return
        chunks = actions.chunks(self.horizon, _MOST_CHUNKS)
        rows = self._levels((torch.from_numpy(chunks).to(self.mean.device) - self.mean) / self.std)
        merges = learned(rows, self.letters, self.letters + len(self.merges))
        self.merges[: len(merges)] = torch.tensor(merges).reshape(-1, 2)

    def encode(self, actions: Tensor) -> list[list[int]]:
        """The words of normalised chunks (N, steps, 7)."""
        return self.words.encode(self._levels(actions))

    def decode(self, rows: list[list[int]]) -> Tensor:
        """(N, steps, 7) of words: of each wave at most half a level from what was encoded, up to the largest level."""
        spelt = self.words.spelt
        levels = [[letter for word in row for letter in spelt[word]] for row in rows]
        sizes = (torch.tensor(levels, device=self.mean.device) - self.most).double() / self.scale
        return waves(self.horizon, sizes.device).T.matmul(sizes.reshape(-1, self.horizon, ACTIONS)).float()

    def error(self, read: Tensor, wanted: Tensor) -> Tensor:
        """Cross-entropy of each word behind those before it."""
        rows, spelt = self.encode(wanted), self.words.spelt
        before = [[self.next.out_features, *row[:-1]] for row in rows]
        written = [[0, *accumulate(len(spelt[word]) for word in row[:-1])] for row in rows]
        target, said, place = _even(rows, _NOTHING), _even(before, 0), _even(written, 0)
        told = self._told(read)
        states, _ = self.writer(self._asked(told, said, place), told.transpose(0, 1).contiguous())
        logits = self.next(states).flatten(0, 1).float()
        return nn.functional.cross_entropy(logits, target.flatten().to(logits.device), ignore_index=_NOTHING)

    def chosen(self, read: Tensor) -> Tensor:
        """The likeliest word each time, of those that still fit."""
        return self.decode([self._written(each) for each in torch.split(self._told(read), 1)])

    def _written(self, told: Tensor) -> list[int]:
        """The words of one chunk; `told` is (1, 1, hidden)."""
        spelt, row, state, full = self.words.spelt, [self.next.out_features], told, 0
        lengths = torch.tensor([len(each) for each in spelt], device=told.device)
        while full < self.whole:
            asked = self._asked(told, torch.tensor([row[-1:]]), torch.tensor([[full]]))
            states, state = self.writer(asked, state)
            logits = self.next(states)[0, 0, : len(spelt)].float()
            row.append(int(logits.masked_fill(lengths > self.whole - full, -math.inf).argmax()))
            full += len(spelt[row[-1]])
        return row[1:]

    def _told(self, read: Tensor) -> Tensor:
        return read.to(self.said.weight.dtype).unsqueeze(1)

    def _asked(self, told: Tensor, said: Tensor, place: Tensor) -> Tensor:
        """(N, L, hidden) of the word before and how many levels are written (N, L), and of what was told."""
        asked: Tensor = self.said(said.to(told.device)) + self.place(place.to(told.device)) + told
        return asked

    def _levels(self, actions: Tensor) -> list[list[int]]:
        """Letters of the waves of normalised chunks, the slowest of all numbers first."""
        sizes = waves(self.horizon, actions.device) @ actions.double()  # in double, which no autocast makes coarse
        levels = (self.scale * sizes).round().clamp(-self.most, self.most).long() + self.most
        return [row.tolist() for row in levels.flatten(1)]


def _check_words(head: FastHead, _: Any) -> None:
    """A checkpoint comes from anywhere: words that are none are refused when it is read."""
    assert head.words


def _even(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    """(N, L) rows, filled up to the longest."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])


HEADS.register("fast", FastHead)
