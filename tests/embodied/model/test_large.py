# SPDX-License-Identifier: Apache-2.0
"""A pass that is captured gives what the pass gives, and is measured against what its weights cost."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from embodied.model import large
from embodied.model.large import Captured, Shape, measure
from embodied.model.plain import write

SHAPE = Shape(layers=2, dim=64, hidden=128, heads=4, vocabulary=100, read=40, written=8)
CPU = torch.device("cpu")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_it_is_replayed_with_what_is_given(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    weight = torch.randn(8, 8, device=device)
    run = Captured(lambda given: given @ weight, torch.zeros(1, 8, device=device))
    for _ in range(3):
        given = torch.randn(1, 8, device=device)
        torch.testing.assert_close(run(given), given @ weight)


def test_words_are_written_one_after_the_other_as_transformers_would() -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    lm = LlamaForCausalLM(LlamaConfig(vocab_size=50, initializer_range=0.3, **shape)).eval()
    read = torch.tensor([[3, 7, 7, 1]])
    theirs = lm.generate(
        read, attention_mask=torch.ones_like(read), max_new_tokens=6, do_sample=False, eos_token_id=None
    )
    with torch.inference_mode():
        ours = write(lm, {"inputs_embeds": lm.get_input_embeddings()(read)}, 6)
    assert ours.tolist() == write(lm, {"input_ids": read}, 6).tolist() == theirs[:, 4:].tolist()


def test_the_roofline_is_that_of_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "bytes_a_second", lambda device: 1e6)
    monkeypatch.setattr(large, "products_a_second", lambda device, dtype: 1e9)
    timing = measure(CPU, SHAPE, rounds=2)
    # Four maps of attention, three of what stands behind it and two norms a layer; then the head.
    layers, head = 2 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64), 64 * 100
    assert timing.weights == layers + head
    size = torch.finfo(large.fastest_dtype(CPU)).bits // 8
    assert timing.reading_ms == pytest.approx(1e3 * size * (layers + head) / 1e6)
    assert timing.multiplying_ms == pytest.approx(1e3 * 2 * (layers * 48 + head * 8) / 1e9)
    assert timing.roofline_ms == max(timing.reading_ms, timing.multiplying_ms)
    assert len(timing.captured_ms) == len(timing.eager_ms) == len(timing.word_by_word_ms) == 2
