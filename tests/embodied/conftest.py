# SPDX-License-Identifier: Apache-2.0
"""A tiny random model: two layers, a byte-level tokenizer, a 32-pixel picture. Torch is loaded on use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embodied.model.palme import Palme


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend)


@pytest.fixture
def make_tiny(tokenizer: PreTrainedTokenizerFast) -> Callable[..., Palme]:
    """Builds a tiny model; the options are those of its configuration."""
    import torch
    from transformers import LlamaConfig

    from embodied.model.backbone import Backbone, Int8Embedding
    from embodied.model.composition import PalmeConfig, PartConfig, SenseConfig
    from embodied.model.encoders import ENCODERS
    from embodied.model.encoders.mlp import MlpEncoder
    from embodied.model.palme import Palme

    if "object" not in ENCODERS:
        # A sense of the test's own: as many tokens as there are objects.
        class ObjectEncoder(MlpEncoder):
            def forward(self, value: torch.Tensor) -> torch.Tensor:
                return super().forward(value).squeeze(-2)

        ENCODERS.register("object", ObjectEncoder)

    def build(**options: Any) -> Palme:
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
        senses = {
            "front": SenseConfig(PartConfig("conv", {"size_px": 32, "width": 8})),
            "state": SenseConfig(PartConfig("mlp", {"size": 8, "hidden": 16}), reading="joints"),
            "objects": SenseConfig(PartConfig("object", {"size": 5, "hidden": 16})),
        }
        return Palme(PalmeConfig(**{"senses": senses} | options), backbone, tokenizer).eval()

    return build


@pytest.fixture
def tiny(make_tiny: Callable[..., Palme]) -> Palme:
    return make_tiny()
