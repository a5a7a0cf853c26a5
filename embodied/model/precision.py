# SPDX-License-Identifier: Apache-2.0
"""Which floating-point type a machine computes a model in."""

import torch


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it natively, float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32
