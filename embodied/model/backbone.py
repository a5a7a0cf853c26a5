# SPDX-License-Identifier: Apache-2.0
"""The language model, seen as: token ids to embeddings, embeddings to hidden states.

The only file that knows transformers' model classes. Embeddings are frozen and kept as int8 rows
with one scale each: a quarter of the memory, and the same numbers in training and on the robot.
"""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
from transformers.cache_utils import Cache, DynamicCache
from transformers.configuration_utils import PretrainedConfig
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from embodied.errors import CheckpointError


class Int8Embedding(nn.Module):
    """A frozen embedding table, int8 per entry and one float scale per row."""

    weight: Tensor
    scale: Tensor

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(vocabulary, dim, dtype=torch.int8))
        self.register_buffer("scale", torch.ones(vocabulary, 1))

    @classmethod
    def quantise(cls, table: Tensor) -> Self:
        """Round a (V, D) float table to int8 rows (symmetric, absmax)."""
        self = cls(*table.shape)
        self.scale.copy_(table.float().abs().amax(dim=1, keepdim=True).clamp_min(1e-8) / 127.0)
        self.weight.copy_((table.float() / self.scale).round().to(torch.int8))
        return self

    def forward(self, ids: Tensor) -> Tensor:
        """(...,) int ids to (..., D) float32 embeddings."""
        return self.weight[ids].float() * self.scale[ids]


class Backbone(nn.Module):
    """The first layers of a causal language model, without its vocabulary head."""

    def __init__(self, config: PretrainedConfig, embedding: Int8Embedding | None = None) -> None:
        super().__init__()
        self.config = config
        # The trunk's own table is not used: give it one row, so that nothing large is allocated.
        trunk_config = copy.deepcopy(config)
        trunk_config.vocab_size = 1
        trunk_config.pad_token_id = trunk_config.bos_token_id = trunk_config.eos_token_id = None
        trunk_config._attn_implementation = "sdpa"
        self.trunk: Any = AutoModel.from_config(trunk_config)
        self.trunk.set_input_embeddings(nn.Identity())
        self.embedding = embedding or Int8Embedding(config.vocab_size, config.hidden_size)

    @classmethod
    def from_causal_lm(cls, name: str, *, layers: int, gguf_file: str | None = None) -> Self:
        """The first `layers` layers of a causal LM given by hub name or directory.

        Raises CheckpointError where it cannot be loaded, or has fewer layers.
        """
        try:
            whole = AutoModelForCausalLM.from_pretrained(
                name, dtype=torch.float32, use_safetensors=None if gguf_file else True, gguf_file=gguf_file
            )
        except (OSError, ValueError) as error:
            raise CheckpointError(f"no causal language model at {name!r}: {error}") from error
        available = whole.config.num_hidden_layers
        if layers > available:
            raise CheckpointError(f"{name!r} has {available} layers; asked for the first {layers}")
        config = copy.deepcopy(whole.config)
        config.num_hidden_layers = layers
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:layers]
        if hasattr(config, "quantization_config"):
            del config.quantization_config  # GGUF weights were expanded to float on loading
        table: Tensor = whole.get_input_embeddings().weight.detach()  # type: ignore[operator]
        self = cls(config, Int8Embedding.quantise(table))
        state = {
            key: value
            for key, value in whole.base_model.state_dict().items()
            if "embed_tokens" not in key and "wte" not in key and _layer_index(key) < layers
        }
        self.trunk.load_state_dict(state)
        return self

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return int(self.config.hidden_size)

    @property
    def text_scale(self) -> float:
        """Root mean square of a word embedding's entries."""
        rows = self.embedding(torch.arange(0, self.embedding.weight.shape[0], 16))
        return float(rows.pow(2).mean().sqrt())

    def forward(
        self, embeddings: Tensor, *, mask: Tensor | None, position_ids: Tensor, cache: Cache | None = None
    ) -> Tensor:
        """(B, L, D) embeddings to (B, L, D) hidden states after the final norm.

        `mask` is (B, 1, L, L + cached) bool; None means every new token sees all of the cache and
        the new tokens before it. With a `cache`, its keys and values are extended in place.
        """
        output = self.trunk(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        hidden: Tensor = output.last_hidden_state
        return hidden

    def new_cache(self) -> Cache:
        """An empty key-value cache."""
        return DynamicCache(config=self.trunk.config)

    def config_dict(self) -> dict[str, Any]:
        """The configuration as plain data, for `config.json`, without where it was read from."""
        return {key: value for key, value in self.config.to_dict().items() if not key.startswith("_")}


def config_from_dict(data: dict[str, Any]) -> PretrainedConfig:
    """The inverse of `Backbone.config_dict`. Raises CheckpointError for an unknown architecture."""
    data = dict(data)
    try:
        return AutoConfig.for_model(data.pop("model_type"), **data)
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"the checkpoint names no known language model: {error}") from error


def load_tokenizer(name: str | Path, *, gguf_file: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer at a hub name or directory. Raises CheckpointError where there is none."""
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(str(name), gguf_file=gguf_file)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"no tokenizer at {name}: {error}") from error
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the tokenizer; its JSON without indentation, which is half of its size, and no chat template."""
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of `text` with no special tokens."""
    ids: Sequence[int] = tokenizer.encode(text, add_special_tokens=False)
    return list(ids)


def _layer_index(key: str) -> int:
    parts = key.split(".")
    return int(parts[1]) if parts[0] in ("layers", "h") and parts[1].isdigit() else -1
