# SPDX-License-Identifier: Apache-2.0
"""Maps in few bits say what those in float32 say: exactly what a file of four bits says, and nearly elsewhere."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from embodied.language.verbs import parse_plan
from embodied.model import precision
from embodied.model.engine import Engine
from embodied.model.packed import ROWS, PackedLinear, bytes_a_word, can_pack, pack
from embodied.model.palme import Palme
from embodied.model.precision import prepared

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(not can_pack(), reason="this processor has no fast products with few bits")


def of_four_bits(outputs: int, inputs: int, *, bias: bool = False) -> nn.Linear:
    """A map whose weights lie on sixteen levels in each group of 32, as in a file of four bits."""
    linear, groups = nn.Linear(inputs, outputs, bias=bias), inputs // 32
    levels = torch.stack([torch.randperm(32) % 16 for _ in range(outputs * groups)]).view(outputs, groups, 32)
    step, low = torch.rand(outputs, groups, 1) + 0.1, torch.randn(outputs, groups, 1)
    linear.weight.data.copy_((low + step * levels).flatten(1))
    return linear


def off(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 96), (2, 3, 96), (ROWS, 96)])
@torch.no_grad()
def test_few_words_are_read_in_few_bits(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(*shape)
    for linear, bits, most in ((of_four_bits(64, 96, bias=bias), 4, 0.01), (nn.Linear(96, 64, bias=bias), 8, 0.02)):
        packed = PackedLinear(linear)
        assert packed.bits == bits
        assert packed(x).shape == linear(x).shape and packed(x).dtype == x.dtype
        assert 0 < off(packed(x), linear(x)) < most


@torch.no_grad()
def test_levels_are_found_again_as_they_were() -> None:
    torch.manual_seed(1)
    linear = of_four_bits(32, 64)
    rows = PackedLinear(linear)(torch.eye(64)[:ROWS])  # of ones and zeros, which rounding leaves alone
    low, high = linear.weight.unflatten(1, (-1, 32)).aminmax(dim=-1)
    step = ((high - low) / 15)[:, 0]
    # Less than half a step away is the same level.
    assert ((rows.T - linear.weight[:, :ROWS]).abs() < 0.5 * step.unsqueeze(1)).all()


@torch.no_grad()
def test_many_words_are_read_as_they_were() -> None:
    linear, x = nn.Linear(64, 32), torch.randn(ROWS + 1, 64)
    assert torch.equal(PackedLinear(linear)(x), linear(x))


@torch.no_grad()
def test_an_empty_row_stays_empty_and_a_large_one_large() -> None:
    linear = nn.Linear(32, 32, bias=False)
    linear.weight.zero_()
    linear.weight[1], linear.weight[2] = torch.randn(32) * 1e-4, torch.randn(32) * 1e4
    out = PackedLinear(linear)(x := torch.randn(1, 32))[0]
    assert out[0] == 0.0 and out.isfinite().all()
    for row in (1, 2):
        assert out[row] == pytest.approx(float(linear(x)[0, row]), rel=0.1)


def test_what_does_not_fit_is_refused_and_left_as_it_is() -> None:
    class Mine(nn.Linear):
        pass

    with pytest.raises(ValueError, match="multiples of 32"):
        PackedLinear(nn.Linear(31, 32))
    layers = nn.Sequential(nn.Linear(32, 64), nn.Linear(33, 32), Mine(32, 32), nn.LayerNorm(32))
    pack(layers)
    assert [type(each) for each in layers] == [PackedLinear, nn.Linear, Mine, nn.LayerNorm]
    pack(layers)
    assert not any(isinstance(m, PackedLinear) for m in layers[0].whole.modules())


def test_bytes_are_those_that_one_word_reads() -> None:
    layers = nn.Sequential(nn.Linear(64, 64, bias=False), nn.LayerNorm(64), nn.Linear(64, 7))
    others = 4 * (64 + 64 + 64 * 7 + 7)
    assert bytes_a_word(layers) == 4 * 64 * 64 + others
    pack(layers)
    assert bytes_a_word(layers) == 64 * 64 + 2 * 64 + others
    four = nn.Sequential(of_four_bits(64, 64))
    pack(four)
    assert bytes_a_word(four) == 64 * 64 // 2 + 2 * 2 * 2 * 64


@torch.no_grad()
def test_a_model_that_decides_in_few_bits_is_nearly_itself(tiny: Palme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fastest_dtype", lambda device: torch.float32)
    plain, ids = copy.deepcopy(tiny), torch.arange(ROWS).unsqueeze(0)
    fast = prepared(tiny, CPU)
    assert any(isinstance(m, PackedLinear) for m in fast.backbone.trunk.modules())
    assert not any(isinstance(m, PackedLinear) for head in fast.heads.values() for m in head.modules())
    words, mask = plain.backbone.words(ids), torch.ones(1, 1, ROWS, ROWS, dtype=torch.bool).tril()
    before, after = (each.backbone(words, mask=mask, position_ids=ids) for each in (plain, fast))
    assert 0 < off(after, before) < 0.05
    plan = Engine(fast).answer({"state": torch.zeros(8)}, "touch the red block").plan
    assert plan is not None and parse_plan(plan.text()) == plan


def test_where_there_are_no_fast_products_nothing_is_packed(tiny: Palme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "can_pack", lambda: False)
    assert not any(isinstance(m, PackedLinear) for m in prepared(tiny, CPU).modules())
