# SPDX-License-Identifier: Apache-2.0
"""Early fusion: tokens of the senses stand between words, and the language model reads them as words (PaLM-E)."""

import torch
from torch import Tensor

from embodied.model.backbone import Backbone
from embodied.model.fusion import FUSIONS, Fusion, Memory
from embodied.model.sentence import Embedded, allowed


class Early(Fusion):
    """x_i is a word embedding or a projected sensor feature (Driess et al. 2023, equation 3)."""

    def prefill(self, backbone: Backbone, sentence: Embedded, memory: Memory | None) -> Tensor:
        if memory is not None:
            memory.position, memory.length = int(sentence.position[0, -1]) + 1, sentence.branch.shape[1]
        hidden: Tensor = backbone(
            sentence.embeddings,
            mask=allowed(sentence.branch, sentence.reading),
            position_ids=sentence.position,
            cache=None if memory is None else memory.cache,
        )
        return hidden

    def extend(self, backbone: Backbone, words: Tensor, memory: Memory) -> Tensor:
        return write(backbone, words, memory)


def write(backbone: Backbone, words: Tensor, memory: Memory) -> Tensor:
    """Hidden states (1, K, D) of words that see all that is in the cache, and themselves causally."""
    count, device = words.shape[1], words.device
    mask = torch.ones(1, 1, count, memory.length + count, dtype=torch.bool, device=device).tril(memory.length)
    position_ids = torch.arange(memory.position, memory.position + count, device=device).unsqueeze(0)
    memory.position, memory.length = memory.position + count, memory.length + count
    hidden: Tensor = backbone(words, mask=mask, position_ids=position_ids, cache=memory.cache)
    return hidden


FUSIONS.register("early", Early)
