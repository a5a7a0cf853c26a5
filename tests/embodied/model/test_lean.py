# SPDX-License-Identifier: Apache-2.0
"""Few words through layers without ceremony: the same states, keys and values as through the modules themselves."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.cache_utils import DynamicCache

from embodied.model.backbone import Backbone
from embodied.model.engine import Engine
from embodied.model.lean import Lean, lean
from embodied.model.packed import ROWS, can_pack
from embodied.model.palme import Palme
from embodied.model.precision import prepared

SMALL = {
    "vocab_size": 2,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
}
BEFORE = 11


def stack(family: str, **more: Any) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = AutoModel.from_config(AutoConfig.for_model(family, **(SMALL | more))).eval()
    for module in made.modules():  # else norms are all ones, and a family that adds one to them looks like any other
        if "Norm" in type(module).__name__:
            nn.init.normal_(module.weight, 1.0, 0.3)
    return made


@torch.no_grad()
def read(whole: nn.Module, pieces: tuple[int, ...], dtype: torch.dtype = torch.float32) -> tuple[Tensor, DynamicCache]:
    """States of the same words in pieces, each after the ones before it, and the cache behind them."""
    words = torch.randn(1, sum(pieces), 64, generator=torch.Generator().manual_seed(1)).to(dtype)
    cache, states, start = DynamicCache(), list[Tensor](), 0
    for count in pieces:
        end = start + count
        found = whole(
            inputs_embeds=words[:, start:end],
            attention_mask=torch.ones(1, 1, count, end, dtype=torch.bool).tril(start),
            position_ids=torch.arange(start, end).unsqueeze(0),
            past_key_values=cache,
            use_cache=True,
        )
        states.append(found.last_hidden_state)
        start = end
    return torch.cat(states, dim=1), cache


@pytest.mark.parametrize("pieces", [(BEFORE, 1), (BEFORE, 1, 1, 3), (BEFORE, ROWS, 2), (2, 2), (1, 1)])
@pytest.mark.parametrize("family", ["llama", "qwen2", "mistral"])
def test_common_layers_give_the_same_states_and_keep_the_same_keys(family: str, pieces: tuple[int, ...]) -> None:
    whole = stack(family)
    ours = lean(copy.deepcopy(whole), DynamicCache)
    assert isinstance(ours, Lean)
    (before, kept), (after, ours_kept) = read(whole, pieces), read(ours, pieces)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
    for one, other in zip(kept.layers, ours_kept.layers, strict=True):
        torch.testing.assert_close(other.keys, one.keys, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(other.values, one.values, atol=1e-4, rtol=1e-4)


def test_half_as_fine_numbers_come_in_and_go_out_as_they_are() -> None:
    whole = stack("llama").bfloat16()
    ours = lean(copy.deepcopy(whole), DynamicCache)
    assert isinstance(ours, Lean)
    (before, _), (after, kept) = (read(each, (BEFORE, 1, 3), torch.bfloat16) for each in (whole, ours))
    assert after.dtype == kept.layers[0].keys.dtype == torch.bfloat16
    torch.testing.assert_close(after, before, atol=0.1, rtol=0.1)


@pytest.mark.parametrize(
    ("family", "more"),
    [
        ("qwen3", {"head_dim": 16}),  # norms of keys: a part more
        ("gemma", {"head_dim": 16}),  # its norms add one to their weights
        ("granite", {"residual_multiplier": 0.5}),  # the same parts, summed otherwise
        ("glm4_moe", {"num_hidden_layers": 1, "head_dim": 16, "partial_rotary_factor": 0.5}),  # turns half of each head
        ("gpt_neox", {}),
        ("gpt2", {"n_embd": 64, "n_layer": 3, "n_head": 4}),
    ],
)
def test_what_is_made_or_summed_otherwise_is_left_as_it_is(family: str, more: dict[str, Any]) -> None:
    whole = stack(family, **more)
    assert lean(whole, DynamicCache) is whole


def test_whoever_changes_what_goes_through_a_module_is_heard() -> None:
    ours = lean(stack("llama"), DynamicCache)
    assert isinstance(ours, Lean)
    plain, _ = read(ours, (BEFORE, 2))
    handle = ours.whole.layers[1].mlp.register_forward_hook(lambda _, __, output: output + 1.0)
    changed, _ = read(ours, (BEFORE, 2))
    handle.remove()
    again, _ = read(ours, (BEFORE, 2))
    assert (changed - plain)[:, BEFORE:].abs().amin(dim=-1).max() > 1e-3
    assert torch.equal(again, plain)


@pytest.mark.skipif(not can_pack(), reason="this processor has no fast products with few bits")
def test_a_model_that_decides_answers_as_with_whole_layers(tiny: Palme) -> None:
    fast = prepared(tiny, torch.device("cpu"))
    trunks = [module for module in fast.modules() if isinstance(module, Backbone)]
    assert trunks and all(isinstance(each.trunk, Lean) for each in trunks)
    answers = [Engine(fast).answer({"state": torch.zeros(8)}, "touch the red block")]
    for each in trunks:
        each.trunk = each.trunk.whole
    answers.append(Engine(fast).answer({"state": torch.zeros(8)}, "touch the red block"))
    assert answers[0].plan == answers[1].plan
    assert answers[0].confidence == pytest.approx(answers[1].confidence, rel=0.02)
