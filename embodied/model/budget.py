# SPDX-License-Identifier: Apache-2.0
"""How large a model may become while it is built of a configuration that may be anyone's.

A number too large in a configuration would otherwise build for minutes, or take all of the memory, before it shows
that the weights do not fit.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from embodied.errors import CheckpointError, shown

_SLACK = 2_000_000
"""Numbers that a model may have besides its weights, as tables of positions."""
_LEAST = 1000
"""What every tensor counts for at least: so many small ones are a loop without end."""
_MAKES = frozenset(
    (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.randint, torch.arange,
     torch.linspace, torch.eye)
)  # fmt: skip
_COPIES = frozenset((torch.clone, torch.Tensor.clone))
_CODE = re.compile("implementation|auto_map")
"""Of attention, as a hub's kernel; or of a whole model."""
_COUNTS = re.compile("layer|label|expert")
_MOST = 1000
"""Layers, labels or experts, whatever the weights are: configurations list them."""


class Budget(TorchFunctionMode):
    """Within it, tensors of at most `numbers` numbers in all are made. Raises CheckpointError before one more is."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self._left = numbers + _SLACK

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in _MAKES:
            with torch._C.DisableTorchFunction():
                size = function(*args, **{**kwargs, "device": "meta"}).numel()
            self._spend(size)
        elif function in _COPIES:
            self._spend(args[0].numel())
        return function(*args, **kwargs)

    def _spend(self, size: int) -> None:
        self._left -= max(size, _LEAST)
        if self._left < 0:
            raise CheckpointError("it asks for a larger model than its weights are")


def check_foreign(config: Mapping[str, Any], tensors: int) -> None:
    """Raises CheckpointError for more layers and the like than the weights, `tensors` of them, can hold, and for code
    that transformers would fetch."""
    for name, value in _items(config):
        if _CODE.search(name) and value is not None:
            raise CheckpointError(f"{name} is {shown(value)}: a checkpoint names no code to run")
        if isinstance(value, int | float) and _COUNTS.search(name) and abs(value) > max(tensors, _MOST):
            raise CheckpointError(f"{name} is {value}, and its weights are {tensors} tensors")


def _items(config: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """What it says, at any depth."""
    for key, value in config.items():
        yield str(key), value
        if isinstance(value, Mapping):
            yield from _items(value)
