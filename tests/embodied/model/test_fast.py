# SPDX-License-Identifier: Apache-2.0
"""Actions as compressed words: what is written is read back, smooth motion takes few, and nobody else's are taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from embodied.data.sample import Actions
from embodied.errors import CheckpointError
from embodied.model.composition import PartConfig
from embodied.model.heads.action_words import ActionWords, learned, waves
from embodied.model.heads.bins import WIDEST
from embodied.model.heads.fast import FastHead
from embodied.model.palme import Palme
from embodied.motion.actions import EE_DELTA_NAMES

STEPS = 8


def smooth(seed: int) -> np.ndarray:
    """(60, 7) an episode as an arm moves: each number goes up and down once or twice; the fingers close and open."""
    rng, time = np.random.default_rng(seed), np.linspace(0.0, 2 * np.pi, 60)[:, None]
    moves = rng.normal(size=6) * np.sin(rng.uniform(0.5, 2.0, 6) * time + rng.uniform(0, 6, 6))
    fingers = np.sign(np.sin(time + rng.uniform(0, 6)))
    return np.concatenate([moves, fingers], axis=1).astype(np.float32)


def shown(count: int, spread: float = 1.0) -> Actions:
    episodes = [smooth(seed) for seed in range(count)]
    rows = np.concatenate(episodes)
    known: dict[str, Any] = {"mean": rows.mean(axis=0), "std": spread * rows.std(axis=0), "count": len(rows)}
    return Actions(names=EE_DELTA_NAMES, rate_hz=10.0, episodes=lambda: episodes, **known)


@pytest.fixture
def model(make_tiny: Callable[..., Palme]) -> Palme:
    return make_tiny(heads={"act": PartConfig("fast", {"steps": STEPS, "hidden": 32, "words": 512})})


@pytest.fixture
def head(model: Palme) -> FastHead:
    head = model.heads["act"]
    assert isinstance(head, FastHead)
    return head


def unseen(head: FastHead, seed: int = 1000) -> Tensor:
    """(N, steps, 7) normalised, of an episode from which nothing was learned."""
    rows = (torch.from_numpy(smooth(seed)) - head.mean) / head.std
    return torch.stack([rows[start : start + STEPS] for start in range(len(rows) - STEPS)])


def test_waves_are_at_right_angles_and_the_slowest_is_the_mean() -> None:
    rows = waves(5, torch.device("cpu"))
    torch.testing.assert_close(rows @ rows.T, torch.eye(5, dtype=torch.float64))
    torch.testing.assert_close(rows[0], torch.full((5,), 5**-0.5, dtype=torch.float64))
    turns = (rows.diff(dim=1).sign() != 0).sum(dim=1), (rows.sign().diff(dim=1) != 0).sum(dim=1)
    assert turns[1].tolist() == [0, 1, 2, 3, 4], "each changes its sign once more"


@pytest.mark.parametrize("fitted", [False, True])
def test_what_is_written_is_read_back_to_half_a_level_of_each_wave(fitted: bool, head: FastHead) -> None:
    if fitted:
        head.fit(shown(20))
        assert (head.merges >= 0).all()
    for chunks in (unseen(head), torch.randn(20, STEPS, 7).clamp(-WIDEST, WIDEST)):
        words = head.encode(chunks)
        away = waves(STEPS, chunks.device) @ (head.decode(words) - chunks).double()
        assert away.abs().max() <= 0.5 / head.scale + 1e-5
        assert head.encode(head.decode(words)) == words, "and stays what it is"
    far = torch.full((1, STEPS, 7), 99.0)
    assert (head.decode(head.encode(far)) - WIDEST).abs().max() < 1 / head.scale, "as far as it reaches"


def test_smooth_motion_takes_few_words_and_learned_ones_take_fewer(head: FastHead) -> None:
    def count() -> float:
        words = head.encode(unseen(head))
        return sum(map(len, words)) / len(words)

    bins = STEPS * 7
    assert count() == bins, "a letter for each number, before anything is learned"
    head.fit(shown(20))
    assert count() < 0.6 * bins
    noise = head.encode(torch.randn(20, STEPS, 7))
    assert sum(map(len, noise)) / len(noise) > 0.8 * bins, "what has no order cannot be told shorter"


def test_slow_waves_of_all_numbers_come_first(head: FastHead) -> None:
    [letters] = head.encode(torch.arange(7.0).expand(1, STEPS, 7) / 7)  # nothing is learned: words are letters
    assert letters[7:] == [head.most] * (STEPS - 1) * 7, "what stays as it is has none that are faster"
    assert letters[:7] == [head.most + round(10 * STEPS**0.5 * number / 7) for number in range(7)]


def test_words_are_learned_once_and_saved(model: Palme, head: FastHead, tmp_path: Path) -> None:
    head.fit(shown(20))
    before = head.merges.clone()
    head.fit(shown(5))
    assert torch.equal(head.merges, before), "a run that goes on, or begins from a checkpoint, keeps its words"
    model.bfloat16().float().save_pretrained(tmp_path / "model")
    read = Palme.from_pretrained(tmp_path / "model").heads["act"]
    assert isinstance(read, FastHead) and torch.equal(read.merges, before)
    assert read.encode(unseen(read)) == head.encode(unseen(read))
    with torch.inference_mode():
        assert torch.equal(read.chosen(torch.ones(1, 32)), head.eval().chosen(torch.ones(1, 32)))


def test_what_is_written_always_fills_a_chunk(head: FastHead) -> None:
    head.fit(shown(20))
    for seed in range(5):
        torch.manual_seed(seed)
        with torch.inference_mode():
            words = [head._written(read) for read in 5 * torch.randn(4, 1, 1, 32)]
        assert [sum(len(head.words.spelt[word]) for word in row) for row in words] == [STEPS * 7] * 4


def test_in_few_bits_it_writes_the_same(head: FastHead) -> None:
    """What was learned well, and told by numbers that any type holds."""
    torch.manual_seed(0)
    head.fit(shown(20))
    wanted, read = unseen(head)[:2], torch.tensor([[1.0, -1.0] * 16, [-1.0, 1.0] * 16])
    optimizer = torch.optim.Adam(head.train().parameters(), lr=1e-2)
    for _ in range(120):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            head.error(read, wanted).backward()
        optimizer.step()
    with torch.inference_mode():
        torch.testing.assert_close(head.chosen(read), head.decode(head.encode(wanted)))
        torch.testing.assert_close(head.bfloat16().chosen(read.bfloat16()), head.decode(head.encode(wanted)))


@pytest.mark.parametrize(
    ("merges", "complaint"),
    [([(0, 3)], r"\(0, 3\) are no two of 3"), ([(-1, 0)], "no two of 3"), ([(0, 1), (3, 3), (4, 4)], "8 letters of 4")],
)
def test_words_that_are_none_are_refused(merges: list[tuple[int, int]], complaint: str) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        ActionWords(3, merges, longest=4)


def test_a_checkpoint_with_words_that_are_none_is_refused(model: Palme, head: FastHead) -> None:
    state = model.state_dict() | {"act.merges": torch.full_like(head.merges, 10**6)}
    with pytest.raises(CheckpointError, match="its words for actions are damaged"):
        model.load_state_dict(state)


def test_of_pairs_the_most_frequent_is_merged_first() -> None:
    rows = [[0, 1, 0, 1, 2], [0, 1, 2, 2, 2]]
    merges = learned(rows, 3, 5)
    assert merges[0] == (0, 1) and len(merges) == 2
    words = ActionWords(3, merges, longest=5)
    assert words.spelt[:4] == [[0], [1], [2], [0, 1]]
    assert [[letter for word in row for letter in words.spelt[word]] for row in words.encode(rows)] == rows
