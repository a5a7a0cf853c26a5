# SPDX-License-Identifier: Apache-2.0
"""The contrastive loss is that of right pairs, both ways; and two towers learn them."""

from __future__ import annotations

import math

import pytest
import torch

from embodied.model.encoders.conv import ConvEncoder
from embodied.model.towers import Towers, contrast, hardest

APART = torch.eye(4, dtype=torch.bool)


def test_the_loss_is_the_same_whichever_is_asked_for_the_other() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 4)
    assert contrast(logits, APART) == pytest.approx(float(contrast(logits.T, APART)))
    order = torch.randperm(4)
    assert contrast(logits[order][:, order], APART) == pytest.approx(float(contrast(logits, APART)))


def test_the_loss_is_lowest_for_right_pairs() -> None:
    logits = 10.0 * torch.eye(4)
    right = contrast(logits, APART)
    assert float(right) < 1e-3
    assert all(contrast(logits.roll(by, dims=0), APART) > right + 5 for by in (1, 2, 3))
    assert contrast(torch.zeros(4, 4), APART) == pytest.approx(math.log(4)), "of those that tell nothing"


def test_equal_captions_are_no_negatives_of_each_other() -> None:
    same = APART.clone()
    same[0, 1] = same[1, 0] = True
    logits = 10.0 * same.float()
    assert contrast(logits, same) == pytest.approx(0.5 * math.log(2), abs=1e-3), "each is right in equal shares"
    apart = torch.full((4, 4), 0.0, requires_grad=True)
    contrast(apart, same).backward()
    assert apart.grad is not None
    assert apart.grad[0, 1] < 0 and apart.grad[0, 1] == apart.grad[0, 0], "they are drawn together alike"
    assert apart.grad[0, 2] > 0
    assert hardest(logits - 20.0 * APART, same).tolist() == [2, 2, 0, 0], "the most similar of the wrong ones"


def test_captions_of_no_picture_are_only_not_to_be_chosen() -> None:
    more = torch.zeros(4, 6, requires_grad=True)
    same = torch.nn.functional.pad(APART, (0, 2))
    assert contrast(more, same).item() == pytest.approx(0.5 * (math.log(6) + math.log(4))), (
        "they are asked for no picture"
    )
    contrast(more, same).backward()
    assert more.grad is not None and bool((more.grad[:, 4:] > 0).all())


@pytest.fixture
def towers() -> Towers:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return Towers(ConvEncoder(size_px=32, width=8), words=6)


def test_they_learn_which_caption_is_of_which_picture(towers: Towers) -> None:
    pictures = torch.randint(0, 256, (4, 32, 32, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    ids = torch.tensor([[1, 2, 0], [1, 3, 0], [1, 4, 2], [5, 0, 0]])
    optimizer = torch.optim.AdamW(towers.parameters(), lr=2e-3)
    for _ in range(30):
        parts = towers.losses(pictures, ids, APART)
        optimizer.zero_grad()
        (parts["contrast"] + parts["matching"]).backward()
        optimizer.step()
    assert parts["contrast"] < 0.1 and parts["matched"] == 1.0
    assert all(each.grad is not None and each.grad.any() for each in towers.parameters()), "every weight learns"


def test_a_batch_of_equal_captions_teaches_nothing_wrong(towers: Towers) -> None:
    pictures, ids = torch.zeros(2, 32, 32, 3, dtype=torch.uint8), torch.tensor([[1, 2], [1, 2]])
    parts = towers.losses(pictures, ids, torch.ones(2, 2, dtype=torch.bool))
    assert all(bool(torch.isfinite(part)) for part in parts.values())


def test_words_that_are_none_change_nothing(towers: Towers) -> None:
    towers.eval()
    ids = torch.tensor([[1, 2, 3]])
    meant, states = towers.texts(ids)
    longer, more = towers.texts(torch.nn.functional.pad(ids, (0, 4)))
    torch.testing.assert_close(longer, meant)
    seen = towers.pictures(torch.zeros(1, 32, 32, 3, dtype=torch.uint8))[1]
    torch.testing.assert_close(
        towers.matcher(seen, more, torch.nn.functional.pad(ids, (0, 4))), towers.matcher(seen, states, ids)
    )


def test_the_scale_is_learned_and_stays_below_a_hundred(towers: Towers) -> None:
    assert towers.scale.item() == pytest.approx(1 / 0.07)
    torch.nn.init.constant_(towers.log_scale, 9.0)
    assert towers.scale.item() == 100.0
