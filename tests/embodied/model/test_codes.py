# SPDX-License-Identifier: Apache-2.0
"""Laws of pictures as codes: what is read is drawn, what is drawn is read again, and none of it learns with a model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from embodied.model.codes import Tokenizer
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.encoders.codes import CodesEncoder
from embodied.model.palme import Palme
from tests.tokenizers import OPTIONS, paint, plain


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_a_code_stands_for_has_that_code(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    encoder = CodesEncoder(size_px=64, width=4).to(dtype)
    assert encoder.nearest(encoder.vectors).tolist() == list(range(512))
    apart = torch.cdist(encoder.vectors.float(), encoder.vectors.float()).fill_diagonal_(9.0).min()
    near = encoder.vectors.float() + 0.4 * apart * torch.nn.functional.normalize(torch.randn(512, 32), dim=1)
    assert encoder.nearest(near).tolist() == list(range(512)), "and so has what is near to it"


@torch.no_grad()
def test_what_is_drawn_is_read_again() -> None:
    tokenizer = paint(Tokenizer(**OPTIONS))
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 8, (5, 4)))
    pictures = torch.from_numpy(plain(codes.numpy()))
    assert torch.equal(tokenizer.codes(pictures), codes)
    assert torch.equal(tokenizer.drawn(codes), pictures)
    noisy = (pictures.int() + torch.randint(-20, 20, pictures.shape)).clamp(0, 255).to(torch.uint8)
    assert torch.equal(tokenizer.codes(noisy), codes), "the nearest one"


@pytest.mark.parametrize("patch_px", [4, 8, 16, 32])
@torch.no_grad()
def test_each_patch_has_a_code_and_is_drawn_where_it_was(patch_px: int) -> None:
    torch.manual_seed(0)
    tokenizer = Tokenizer(size_px=64, patch_px=patch_px, width=4, codes=8, dim=4)
    side = 64 // patch_px
    assert tokenizer.grid == (side, side)
    codes = torch.zeros(1, side * side, dtype=torch.long)
    before, codes[0, 1] = tokenizer.drawn(codes).int(), 1
    after = tokenizer.drawn(codes).int()
    assert after.shape == (1, 64, 64, 3)
    moved = (after != before).any(dim=3)[0]
    assert moved[:patch_px, patch_px : 2 * patch_px].any()
    moved[:patch_px, patch_px : 2 * patch_px] = False
    assert not moved.any(), "and nowhere else, where the rest of the network says nothing yet"
    tokenizer.network[-2].weight.normal_()
    assert (tokenizer.drawn(codes) != after).any()


@torch.no_grad()
def test_features_are_what_the_codes_stand_for() -> None:
    encoder = paint(Tokenizer(**OPTIONS)).encoder
    codes = torch.tensor([[0, 5, 2, 7]])
    pictures = torch.from_numpy(plain(codes.numpy()))
    assert torch.equal(encoder(pictures), encoder.vectors[codes])
    assert encoder.to(torch.bfloat16)(pictures).dtype == torch.bfloat16


def test_it_does_not_learn_and_heads_can_point_at_its_cells(make_tiny: Callable[..., Palme]) -> None:
    front = SenseConfig(PartConfig("codes", OPTIONS))
    model = make_tiny(senses={"front": front}, heads={"grounding": PartConfig("grounding")})
    assert model.projectors["front"].keeps_cells and model.encoders["front"].grid == (2, 2)
    assert not [name for name, each in model.encoders.named_parameters() if each.requires_grad]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patch_px": 20}, "patch_px must be one of 4, 8, 16, 32, not 20"),
        ({"size_px": 100}, "size_px must be a multiple of 8"),
        ({"codes": 0}, "codes must be a whole number from 1 on"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CodesEncoder(**options)
