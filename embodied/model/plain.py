# SPDX-License-Identifier: Apache-2.0
"""The plain way, to compare ours with: a causal language model as transformers alone builds it and runs it."""

import copy
from typing import Any

from transformers import AutoModelForCausalLM
from transformers.configuration_utils import PretrainedConfig


def plain_lm(config: PretrainedConfig, layers: int) -> Any:
    """A causal language model of transformers of that family and width, with `layers` layers and random weights, for
    what it costs."""
    config = copy.deepcopy(config)
    config.num_hidden_layers = layers
    if types := getattr(config, "layer_types", None):
        config.layer_types = [types[number % len(types)] for number in range(layers)]
    return AutoModelForCausalLM.from_config(config).eval()
