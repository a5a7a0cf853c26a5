# SPDX-License-Identifier: Apache-2.0
"""A vocabulary of codes is trained, on what is not held out, and what is written is a tokenizer again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from embodied.errors import EmbodiedError
from embodied.model.checkpoint import take_weights
from embodied.model.codes import Tokenizer
from embodied.model.encoders.codes import CodesEncoder
from embodied.train import codes, run
from embodied.train.sources import open_source
from tests.tokenizers import COLOURS, OPTIONS, paint, plain

COUNT = 24


@pytest.fixture
def config(tmp_path: Path) -> codes.CodesConfig:
    """Pictures of four plain patches each, no two of them alike, and the smallest of runs."""
    folder = tmp_path / "data"
    folder.mkdir()
    chosen = np.stack(np.unravel_index(np.random.default_rng(0).permutation(8**4)[:COUNT], (8,) * 4), axis=1)
    np.save(folder / "pictures.npy", plain(chosen))
    (folder / "scenes.jsonl").write_text(COUNT * (json.dumps({"objects": [], "commands": []}) + "\n"))
    words = {name: [] for name in ("verbs", "kinds", "colours", "other_colours", "answers")}
    (folder / "meta.json").write_text(json.dumps({"seed": 0, "state": [0.0] * 8} | words))
    return codes.CodesConfig(data=[str(folder)], out=str(tmp_path / "run"), steps=2, batch=2, **OPTIONS)


def test_a_tokenizer_is_trained_and_both_of_its_files_are_read_back(config: codes.CodesConfig) -> None:
    made = codes.train(config)
    rows = [json.loads(line) for line in (Path(config.out) / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 1] and all(0 < row["used"] <= 1 for row in rows)
    whole, encoder = Tokenizer(**OPTIONS), CodesEncoder(**OPTIONS)
    take_weights(whole, made, "it")
    take_weights(encoder, made.with_name(codes.ENCODER_FILE), "its encoder")
    pictures = torch.from_numpy(plain(np.arange(8).reshape(2, 4)))
    assert torch.equal(encoder(pictures), whole.encoder(pictures))
    found = json.loads((Path(config.out) / codes.HELD_OUT_FILE).read_text())
    assert found["pictures"] == 2 and 0 < found["codes_used"] <= 1 and 0 <= found["codes_kept"] <= 1


def test_the_last_pictures_are_held_out(config: codes.CodesConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = open_source(config.data[0]).pictures  # type: ignore[attr-defined]
    number = {each.tobytes(): index for index, each in enumerate(pictures)}
    seen, losses = set[int](), codes.Learner.losses

    def spied(self: Any, batch: Any, *more: Any) -> Any:
        seen.update(number[each.numpy().tobytes()] for each in batch)
        return losses(self, batch, *more)

    monkeypatch.setattr(codes.Learner, "losses", spied)
    codes.train(replace(config, steps=3, batch=64))
    assert seen == set(range(COUNT - 2))


def test_a_run_that_was_cut_short_ends_as_one_that_was_not(
    config: codes.CodesConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (replace(config, out=f"{config.out}-{name}", steps=4, save_every=2) for name in ("whole", "cut"))
    with monkeypatch.context() as patch:
        saved = run.save_progress

        def save_and_die(*arguments: Any) -> None:
            saved(*arguments)
            raise KeyboardInterrupt

        patch.setattr(run, "save_progress", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            codes.train(cut)
    a, b = (load_file(codes.train(each)) for each in (whole, cut))
    assert a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


def test_codes_follow_what_they_are_chosen_for_and_unused_ones_begin_anew() -> None:
    torch.manual_seed(0)
    learner = codes.Learner(paint(Tokenizer(**OPTIONS)))
    vectors = learner.tokenizer.encoder.vectors
    before, shown = vectors.clone(), torch.from_numpy(plain(np.array([[0, 1, 2, 2]] * 4)))
    darker, generator = (0.8 * shown).to(torch.uint8), torch.Generator().manual_seed(0)
    for _ in range(100):
        learner.losses(darker, generator)
    seen = learner.tokenizer.encoder.seen(darker)[0]
    there = learner.tokenizer.encoder.codes(darker)[0]
    assert len(there.unique()) == 3 and (vectors[there] - seen).abs().max() < 0.02
    assert not (vectors == before).all(dim=1).any(), "no code stays what nothing is near to"
    assert len(vectors.unique(dim=0)) == 8, "and no two of them are one"


def test_it_learns_through_what_it_chooses(config: codes.CodesConfig) -> None:
    """Drawing has a gradient in the encoder, although a choice has none; and the loss falls."""
    torch.manual_seed(0)
    learner = codes.Learner(Tokenizer(**OPTIONS))
    pictures = torch.from_numpy(open_source(config.data[0]).pictures[:8].copy())  # type: ignore[attr-defined]
    optimizer, generator, falls = torch.optim.AdamW(learner.parameters(), lr=3e-3), torch.Generator(), []
    for _ in range(30):
        parts = learner.losses(pictures, generator)
        optimizer.zero_grad()
        parts["picture"].backward(retain_graph=True)
        encoder = learner.tokenizer.encoder.linear.weight.grad
        assert encoder is not None and encoder.any()
        (codes.WEIGHTS["commit"] * parts["commit"]).backward()
        optimizer.step()
        falls.append(float(parts["picture"].detach()))
    assert falls[-1] < 0.7 * falls[0]


def test_what_is_told_of_an_exact_tokenizer_is_that_nothing_is_lost() -> None:
    pictures = torch.from_numpy(plain(np.array([[0, 1, 2, 3], [3, 2, 1, 0]])))
    found = codes.told(paint(Tokenizer(**OPTIONS)), [pictures[:1], pictures[1:]])
    assert (found["pictures"], found["error_levels"], found["codes_kept"]) == (2, 0.0, 1.0)
    assert found["codes_used"] == 4 / len(COLOURS)
    off = codes.told(paint(Tokenizer(**OPTIONS)), [pictures.clamp(30, 210)])
    assert off["error_levels"] == pytest.approx(10.0) and off["psnr_db"] == pytest.approx(20 * np.log10(25.5))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"camera": "wrist"}, "unknown camera 'wrist'. Valid: front, joints"),
        ({"patch_px": 12}, "no tokenizer of these sizes: patch_px must be one of"),
        ({"width": 6}, "no tokenizer of these sizes: "),
        ({"data": []}, "data= needs at least one folder"),
    ],
)
def test_what_cannot_be_trained_is_told_in_a_line(
    options: dict[str, Any], words: str, config: codes.CodesConfig
) -> None:
    with pytest.raises(EmbodiedError, match=words) as caught:
        codes.train(replace(config, **options))
    assert "\n" not in str(caught.value)
