# SPDX-License-Identifier: Apache-2.0
"""The plain way, to compare ours with: a causal language model as transformers alone builds it and runs it."""

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.configuration_utils import PretrainedConfig

from embodied.model.backbone import load_source
from embodied.model.base import gguf_of
from embodied.model.composition import BaseConfig
from embodied.packages import checked_file


def plain_lm(config: PretrainedConfig, layers: int) -> Any:
    """A causal language model of transformers of that family and width, with `layers` layers and random weights, for
    what it costs."""
    config = copy.deepcopy(config)
    config.num_hidden_layers = layers
    if types := getattr(config, "layer_types", None):
        config.layer_types = [types[number % len(types)] for number in range(layers)]
    return AutoModelForCausalLM.from_config(config).eval()


def untouched_lm(base: BaseConfig) -> Any:
    """The whole causal language model of transformers whose first layers are that base, as it came.

    Raises CheckpointError where it is not there, or is another one.
    """
    path, _ = checked_file(base.source, base.file, base.sha256)
    return load_source(str(path.parent), gguf_of(base.file))


@torch.inference_mode()
def write(lm: Any, read: Mapping[str, Tensor], count: int) -> Tensor:
    """(1, count) words that follow on what it has `read`, each by a pass of its own with the cache of transformers.

    That is `input_ids` (1, L) or `inputs_embeds` (1, L, D), as its `forward` takes them.
    """
    words, cache, given = list[Tensor](), None, dict(read)
    for _ in range(count):
        told = lm(**given, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = told.past_key_values
        words.append(told.logits[:, -1:].argmax(dim=-1))
        given = {"input_ids": words[-1]}
    return torch.cat(words, dim=1)


def seconds(run: Callable[[], Any], device: torch.device) -> float:
    """How long it takes until all of it is done."""
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
