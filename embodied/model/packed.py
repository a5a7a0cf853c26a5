# SPDX-License-Identifier: Apache-2.0
"""Linear maps that read a fraction of their bytes where few words are read at once.

Whoever writes word by word reads every weight for every word, and waits for memory, not for arithmetic. So a map keeps
its weights a second time, in few bits: in four, where four bits say all that there is to say, since they came from a
file of four bits in groups that share a step and an offset (GGUF's Q4_1); in eight, with a scale for each row, where
they were trained. Sums are in float32, what comes in is rounded to bfloat16. For more than ROWS words arithmetic takes
longer than reading, and the weights are used as they are.
"""

import torch
from torch import Tensor, nn

ROWS = 8
"""Words at once, up to which few bits are faster."""
_GROUP, _LEVELS, _MIDDLE = 32, 16, 8
_EXACT = 0.02
"""How far, in steps, weights may lie from their levels and still be of a file of four bits."""


def can_pack() -> bool:
    """Whether this processor has fast products with weights of few bits."""
    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


class PackedLinear(nn.Module):
    """(..., K) to (..., N), of the type of what comes in. What is packed belongs to no checkpoint and learns nothing.

    Raises ValueError for a map whose sizes are no multiples of 32.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        if not _fits(linear):
            raise ValueError(
                f"{linear.out_features} x {linear.in_features} weights: both must be multiples of {_GROUP}"
            )
        self.whole = linear
        weight = linear.weight.detach().float()
        four = _in_groups(weight)
        self.bits = 8 if four is None else 4
        self._levels, scale = in_rows(weight, torch.bfloat16) if four is None else four
        self._scale = scale.squeeze(-1)  # of a row one number, of a group two

    @property
    def nbytes(self) -> int:
        """Of the weights in few bits."""
        return self._levels.nbytes + self._scale.nbytes

    def forward(self, x: Tensor) -> Tensor:
        """The product."""
        if x.numel() > ROWS * x.shape[-1]:
            product: Tensor = self.whole(x)
            return product
        return self.few(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)

    def few(self, x: Tensor) -> Tensor:
        """The product with few bits, of rows (R, K)."""
        rows = x.bfloat16()
        if self.bits == 4:
            product: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(rows, self._levels, _GROUP, self._scale)
        else:
            product = torch.ops.aten._weight_int8pack_mm(rows, self._levels, self._scale)
        product = product.to(x.dtype)
        return product if self.whole.bias is None else product + self.whole.bias


def pack(module: nn.Module) -> None:
    """Put a PackedLinear in place of every linear map below `module` that has the sizes for it."""
    for parent in [*module.modules()]:
        if isinstance(parent, PackedLinear):
            continue
        for name, child in [*parent.named_children()]:
            if type(child) is nn.Linear and _fits(child):
                setattr(parent, name, PackedLinear(child))


def bytes_a_word(module: nn.Module) -> int:
    """What is read of the weights below a module for one word; of a table of words that is a row, and not counted."""
    packed = [each for each in module.modules() if isinstance(each, PackedLinear)]
    whole = {weight for each in packed for weight in each.whole.parameters()}
    plain = (weight for name, weight in module.named_parameters() if weight not in whole and "embed" not in name)
    return sum(each.nbytes for each in packed) + sum(weight.nbytes for weight in plain)


def in_rows(weight: Tensor, scales: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """(N, K) weights as int8 (N, K) and a scale of each row (N, 1), of the type `scales` (symmetric, absmax)."""
    weight = weight.float()
    scale = (weight.abs().amax(dim=1, keepdim=True).clamp_min(1e-8) / 127.0).to(scales)
    return (weight / scale.float()).round().clamp(-127, 127).to(torch.int8), scale


def _fits(linear: nn.Linear) -> bool:
    return linear.in_features % _GROUP == 0 and linear.out_features % _GROUP == 0


def _in_groups(weight: Tensor) -> tuple[Tensor, Tensor] | None:
    """(N, K) weights as levels from 0 to 15, packed, and a scale and an offset of each group; None where they are none.

    Every group of such a file reaches its lowest and its highest level, which gives its step.
    """
    grouped = weight.reshape(len(weight), -1, _GROUP)
    low, high = grouped.aminmax(dim=-1, keepdim=True)
    step = ((high - low) / (_LEVELS - 1)).clamp_min(1e-12)
    exact = (grouped - low) / step
    levels = exact.round()
    if float((exact - levels).abs().max()) > _EXACT:
        return None
    # The product takes levels from the middle, and groups before rows.
    terms = torch.cat([step, low + _MIDDLE * step], dim=-1).transpose(0, 1).contiguous().bfloat16()
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(levels.flatten(1).int().contiguous(), 1)
    return packed, terms
