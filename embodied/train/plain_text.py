# SPDX-License-Identifier: Apache-2.0
"""Plain text, beside commands: a language model that learns to act shall stay one.

The text is what comes with every Python: its own documentation. Every tenth page is never trained on; how well what
stands there alone is read, beside the language model as it came, tells what was forgotten.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pydoc_data.topics import topics

import numpy as np
import torch
from torch import Tensor, nn
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from embodied.model.backbone import encode
from embodied.model.palme import Palme
from embodied.model.sentence import Sentence, Text

PART = "text/words"
"""Of the loss."""
CHARACTERS = 600
"""Of one piece of text: about as many words of the vocabulary as a sentence with a picture has."""
SAME = 80
"""Characters that two pages have in common when one repeats the other."""
_HELD_OUT = 10


@lru_cache(maxsize=2)
def pieces(*, held_out: bool) -> tuple[str, ...]:
    """All text in pieces of one length: of the pages that are held out of training, what no other page says too; or of
    the others."""
    pages = [text for _, text in sorted(topics.items())]
    trained = [text for number, text in enumerate(pages) if number % _HELD_OUT]
    if not held_out:
        return tuple(_cut(trained))
    known = {span for page in trained for span in _spans(page)}
    return tuple(piece for piece in _cut(pages[::_HELD_OUT]) if known.isdisjoint(_spans(piece)))


def _cut(pages: Iterable[str]) -> Iterator[str]:
    for page in pages:
        yield from (page[start : start + CHARACTERS] for start in range(0, len(page) - CHARACTERS, CHARACTERS))


def _spans(text: str) -> Iterator[int]:
    """Every stretch of SAME characters, as a number."""
    return (hash(text[start : start + SAME]) for start in range(len(text) - SAME + 1))


def loss(model: Palme, rng: np.random.Generator) -> dict[str, Tensor]:
    """Cross-entropy of each word of a piece that is drawn, after those before it, among all words."""
    texts = pieces(held_out=False)
    return {PART: torch.cat(surprises(model, [texts[int(rng.integers(len(texts)))]])).mean()}


def surprises(model: Palme, texts: Sequence[str]) -> list[Tensor]:
    """-ln p (K-1,) of each word of each text but the first, as the whole model reads it, without any sense."""
    found, table = list[Tensor](), model.backbone.words(range(model.backbone.embedding.weight.shape[0]))
    for text in texts:
        ids = encode(model.tokenizer, text)
        # What a model that names things says of a picture stands behind, and no word looks ahead.
        states = model.read(model.embed([Sentence((Text(text),))])).states[0, : len(ids)]
        found.append(_surprise(states.float() @ table.T, ids))
    return found


@torch.no_grad()
def perplexity(model: Palme, texts: Sequence[str]) -> tuple[float, int]:
    """exp of the mean surprise of a word, over all texts, and how many words that are."""
    return _perplexity(surprises(model, texts))


@torch.no_grad()
def perplexity_of(lm: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> tuple[float, int]:
    """The same of a causal language model of transformers."""
    every = [encode(tokenizer, text) for text in texts]
    return _perplexity([_surprise(lm(input_ids=torch.tensor([ids])).logits[0].float(), ids) for ids in every])


def _surprise(logits: Tensor, ids: Sequence[int]) -> Tensor:
    target = torch.tensor(ids[1:], device=logits.device)
    return nn.functional.cross_entropy(logits[:-1], target, reduction="none")


def _perplexity(surprise: Sequence[Tensor]) -> tuple[float, int]:
    every = torch.cat(list(surprise)).double()
    return math.exp(float(every.mean())), len(every)
