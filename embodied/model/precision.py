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
    model = model.to(device=device, dtype=fastest_dtype(device))
    if device.type == "cpu" and can_pack():
        for module in [*model.modules()]:
            if isinstance(module, Backbone):
                pack(module.trunk)
                module.trunk = lean(module.trunk, module.new_cache)
    return model
