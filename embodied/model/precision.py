# SPDX-License-Identifier: Apache-2.0
"""In which numbers a machine computes a model. Nothing else knows."""

from typing import TypeVar

import torch
from torch import nn

from embodied.model.backbone import Backbone
from embodied.model.lean import lean
from embodied.model.packed import can_pack, pack

_M = TypeVar("_M", bound=nn.Module)


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it natively, float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


def prepared(model: _M, device: torch.device) -> _M:
    """The model on `device`, to decide there as fast as that goes and to learn no more."""
    few = device.type == "cpu" and can_pack()
    backbones = [module for module in model.modules() if few and isinstance(module, Backbone)]
    for each in backbones:  # before weights are rounded to bfloat16, which is no longer what a file of four bits says
        pack(each.trunk)
    model = model.to(device=device, dtype=fastest_dtype(device))
    for each in backbones:
        each.trunk = lean(each.trunk, each.new_cache)
    return model
