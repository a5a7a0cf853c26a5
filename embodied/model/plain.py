# SPDX-License-Identifier: Apache-2.0
"""The plain way, to compare ours with: a causal language model as transformers alone builds it and runs it."""

import copy
from typing import Any

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
