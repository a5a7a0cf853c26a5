# SPDX-License-Identifier: Apache-2.0
"""How fast a GPU can decide with a model of the size of OpenVLA-OFT (Kim et al. 2025), whatever its weights are.

All numbers of a chunk of actions come out of one pass; the plain way is to write them one after the other. The pass is
captured once and replayed, so that nothing waits for Python. What it is measured against is the roofline of this very
device (Williams et al. 2009): the longer of the time that it takes to read the weights and of that to multiply them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from embodied.model.backbone import config_from_dict
from embodied.model.plain import plain_lm, seconds, write
from embodied.model.precision import fastest_dtype
from embodied.report import percentile


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A Llama-2 of 7B that reads two pictures of 256 patches and a command, and gives 8 steps of 7 numbers."""

    layers: int = 32
    dim: int = 4096
    hidden: int = 11008
    heads: int = 32
    vocabulary: int = 32064
    read: int = 544
    written: int = 56


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Milliseconds of all rounds, and the least that the device allows for one pass."""

    captured_ms: list[float]
    eager_ms: list[float]
    word_by_word_ms: list[float]
    reading_ms: float
    multiplying_ms: float
    weights: int

    @property
    def roofline_ms(self) -> float:
        """No pass can take less."""
        return max(self.reading_ms, self.multiplying_ms)

    def figures(self) -> dict[str, float]:
        """What is told of it."""
        captured, by_word = percentile(self.captured_ms, 50), percentile(self.word_by_word_ms, 50)
        return {
            "weights_m": self.weights / 1e6,
            "captured_p50": captured,
            "captured_p99": percentile(self.captured_ms, 99),
            "per_s": 1e3 / captured,
            "eager_p50": percentile(self.eager_ms, 50),
            "word_by_word_p50": by_word,
            "roofline_ms": self.roofline_ms,
            "of_roofline": captured / self.roofline_ms,
            "ratio": by_word / captured,
        }


class Captured:
    """A function without branches on what its argument holds; on a GPU it is recorded once and replayed."""

    def __init__(self, run: Callable[[Tensor], Tensor], example: Tensor) -> None:
        self._run, self._given = run, example.clone()
        self._graph: Any = None
        if example.is_cuda:
            aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):  # kernels are chosen and memory is taken before it counts
                for _ in range(3):
                    run(self._given)
            torch.cuda.current_stream().wait_stream(aside)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._gives = run(self._given)

    def __call__(self, given: Tensor) -> Tensor:
        """What the function gives; overwritten by the next call."""
        if self._graph is None:
            return self._run(given)
        self._given.copy_(given)
        self._graph.replay()
        return self._gives


@torch.inference_mode()
def measure(device: torch.device, shape: Shape, rounds: int) -> Timing:
    """Time one pass (captured, and as it is) and writing word by word, in turns; the first round warms up."""
    config = config_from_dict(
        {
            "model_type": "llama",
            "hidden_size": shape.dim,
            "intermediate_size": shape.hidden,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.heads,
            "vocab_size": shape.vocabulary,
        }
    )
    torch.manual_seed(0)
    dtype = fastest_dtype(device)
    with torch.device(device):
        lm = plain_lm(config, shape.layers).to(dtype)
        sentence = torch.randn(1, shape.read + shape.written, shape.dim, dtype=dtype)

    def one_pass(embeddings: Tensor) -> Tensor:
        states = lm.model(inputs_embeds=embeddings, use_cache=False).last_hidden_state
        told: Tensor = lm.lm_head(states[:, -shape.written :])
        return told.argmax(dim=-1)

    captured = Captured(one_pass, sentence)
    found: dict[str, list[float]] = {"captured": [], "eager": [], "word_by_word": []}
    ways = {
        "captured": lambda: captured(sentence),
        "eager": lambda: one_pass(sentence),
        "word_by_word": lambda: write(lm, {"inputs_embeds": sentence[:, : shape.read]}, shape.written),
    }
    for number in range(rounds + 1):
        for name, way in ways.items():
            took_s = seconds(way, device)
            if number:
                found[name].append(1e3 * took_s)
    layers = sum(each.numel() for each in lm.model.layers.parameters())
    head = lm.lm_head.weight.numel()
    # Every weight is read once; those of the layers meet every word, those of the head the words that are written.
    products = layers * (shape.read + shape.written) + head * shape.written
    size = dtype.itemsize * (layers + head)
    return Timing(
        captured_ms=found["captured"],
        eager_ms=found["eager"],
        word_by_word_ms=found["word_by_word"],
        reading_ms=1e3 * size / bytes_a_second(device),
        multiplying_ms=1e3 * 2 * products / products_a_second(device, dtype),
        weights=layers + head,
    )


def bytes_a_second(device: torch.device) -> float:
    """The most that were read of an array that no cache holds.

    A maximum reads every byte once and writes nothing, as decoding reads the weights.
    """
    numbers = torch.ones(2**28 if device.type == "cuda" else 2**26, device=device)
    return numbers.nbytes / min(seconds(lambda: torch.max(numbers), device) for _ in range(8))


def products_a_second(device: torch.device, dtype: torch.dtype) -> float:
    """Multiplications and additions of a large matrix product."""
    side = 8192 if device.type == "cuda" else 512
    matrix = torch.randn(side, side, device=device, dtype=dtype)
    return 2 * side**3 / min(seconds(lambda: matrix @ matrix, device) for _ in range(8))
