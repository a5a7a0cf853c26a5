# SPDX-License-Identifier: Apache-2.0
"""A tiny random model: two layers, a byte-level tokenizer, a 32-pixel picture."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, PreTrainedTokenizerFast

from embodied.model.backbone import Backbone, Int8Embedding
from embodied.model.palme import ModalityConfig, Palme, PalmeConfig


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend)


@pytest.fixture
def tiny(tokenizer: PreTrainedTokenizerFast) -> Palme:
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
    )
    backbone = Backbone(config, Int8Embedding.quantise(torch.randn(len(tokenizer), 32)))
    modalities = {
        "front": ModalityConfig("conv", {"size_px": 32, "width": 8}),
        "state": ModalityConfig("mlp", {"size": 8, "hidden": 16}),
        "objects": ModalityConfig("object", {"size": 5, "hidden": 16}),
    }
    return Palme(PalmeConfig(modalities=modalities), backbone, tokenizer).eval()
