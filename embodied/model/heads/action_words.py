# SPDX-License-Identifier: Apache-2.0
"""Chunks of actions in few words (FAST, Pertsch et al. 2025): each number over time as a sum of waves, slow ones first,
whose sizes are rounded to levels. A level is a letter; what often stands together is one word (byte-pair encoding)."""

import json
import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from tokenizers import Tokenizer, models, trainers
from torch import Tensor

from embodied.errors import CheckpointError

Pair = tuple[int, int]
_FIRST = 0x10000
"""Code point of the first letter: a million follow without a gap."""
_OFTEN = 2
"""How many times a pair is there that becomes a word, at least."""


class ActionWords:
    """Words 0 to `letters` - 1 are letters; each pair of words in `merges`, in order, makes another.

    Raises CheckpointError for pairs of what is no word yet, and for words of more than `longest` letters.
    """

    def __init__(self, letters: int, merges: Sequence[Pair], longest: int) -> None:
        texts = _alphabet(letters)
        number = {text: word for word, text in enumerate(texts)}
        for pair in merges:
            if not all(0 <= word < len(texts) for word in pair):
                raise CheckpointError(f"its words for actions are damaged: {pair} are no two of {len(texts)}")
            made = texts[pair[0]] + texts[pair[1]]
            if len(made) > longest:
                raise CheckpointError(f"its words for actions are damaged: one has {len(made)} letters of {longest}")
            if made not in number:  # it may have been made of other words before
                number[made] = len(texts)
                texts.append(made)
        self.spelt = [[ord(each) - _FIRST for each in text] for text in texts]
        """The letters of each word."""
        pairs = [(texts[first], texts[second]) for first, second in merges]
        self._tokenizer = Tokenizer(models.BPE(number, pairs))

    def encode(self, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """The words of rows of letters."""
        return [list(each.ids) for each in self._tokenizer.encode_batch([_text(row) for row in rows])]


@lru_cache(maxsize=8)
def words_of(letters: int, merges: tuple[Pair, ...], longest: int) -> ActionWords:
    """An ActionWords, made once."""
    return ActionWords(letters, merges, longest)


def learned(rows: Sequence[Sequence[int]], letters: int, words: int) -> list[Pair]:
    """The merges by which `words` words, at most, make rows of letters short."""
    tokenizer = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=words, min_frequency=_OFTEN, initial_alphabet=_alphabet(letters), show_progress=False
    )
    tokenizer.train_from_iterator([_text(row) for row in rows], trainer)
    number = tokenizer.get_vocab()
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [(number[first], number[second]) for first, second in merges[: words - letters]]


def waves(steps: int, device: torch.device) -> Tensor:
    """(steps, steps) float64: in each row a wave over time, slow ones first, all of length 1 (DCT-II)."""
    time = torch.arange(steps, device=device, dtype=torch.float64)
    rows = (math.pi / steps * time[:, None] * (time + 0.5)).cos() * math.sqrt(2 / steps)
    rows[0] /= math.sqrt(2)
    return rows


def _alphabet(letters: int) -> list[str]:
    return [chr(_FIRST + letter) for letter in range(letters)]


def _text(row: Sequence[int]) -> str:
    return "".join(chr(_FIRST + letter) for letter in row)
