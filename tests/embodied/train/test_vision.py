# SPDX-License-Identifier: Apache-2.0
"""The picture encoder is pretrained, and what is written is an encoder again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from embodied.errors import CheckpointError
from embodied.model.checkpoint import take_weights
from embodied.model.encoders.conv import ConvEncoder
from embodied.model.entities import Entities
from embodied.train import run, vision

SIZE_PX = 32


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Grey pictures with one red square each, and where it stands."""
    folder, rng = tmp_path / "data", np.random.default_rng(0)
    folder.mkdir()
    pictures = np.full((8, SIZE_PX, SIZE_PX, 3), 120, np.uint8)
    scenes = []
    for picture in pictures:
        u, v = rng.integers(4, SIZE_PX - 4, 2)
        picture[v - 3 : v + 3, u - 3 : u + 3] = (220, 20, 20)
        scenes.append({"objects": [[0, 0, float(u), float(v), 0.5, 0.0, None]], "commands": []})
    np.save(folder / "pictures.npy", pictures)
    (folder / "scenes.jsonl").write_text("".join(json.dumps(scene) + "\n" for scene in scenes))
    words = {
        "verbs": ["touch"],
        "kinds": ["block"],
        "colours": ["red", "blue"],
        "other_colours": [],
        "answers": ["cannot"],
    }
    (folder / "meta.json").write_text(json.dumps({"seed": 0, "state": [0.0] * 8} | words))
    return folder


def test_the_encoder_is_trained_and_written(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    made = vision.train(vision.VisionConfig(data=[str(data)], out=str(out), steps=3, batch=2))
    first, last = (json.loads(line) for line in (out / "log.jsonl").read_text().splitlines())
    assert (first["step"], last["step"]) == (0, 2)
    assert all(np.isfinite(row[part]) for row in (first, last) for part in ("colour", "kind", "offset"))
    torch.manual_seed(0)
    fresh = ConvEncoder(size_px=SIZE_PX)
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    fresh.load_state_dict(load_file(made), strict=True)
    assert any(not torch.equal(before[name], value) for name, value in fresh.state_dict().items())
    assert json.loads((out / "run.json").read_text())["config"]["steps"] == 3


def test_a_run_that_was_cut_short_ends_as_one_that_was_not(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (
        vision.VisionConfig(data=[str(data)], out=str(tmp_path / out), steps=6, batch=2, save_every=2)
        for out in ("whole", "cut")
    )
    with monkeypatch.context() as patch:
        saved = run.save_progress

        def save_and_die(*arguments: Any) -> None:
            saved(*arguments)
            raise KeyboardInterrupt

        patch.setattr(run, "save_progress", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            vision.train(cut)
    assert not (Path(cut.out) / vision.ENCODER_FILE).exists()
    a, b = (load_file(vision.train(config)) for config in (whole, cut))
    assert all(torch.equal(value, b[name]) for name, value in a.items())
    # And again: what is finished is written, not trained, again.
    before = (Path(cut.out) / "log.jsonl").read_text()
    b = load_file(vision.train(cut))
    assert all(torch.equal(value, b[name]) for name, value in a.items())
    assert (Path(cut.out) / "log.jsonl").read_text() == before


def test_the_learning_rate_rises_and_then_falls_to_a_hundredth() -> None:
    rates = [run.cosine(step, 200, warm_up=50) for step in range(201)]
    assert rates[49] == pytest.approx(1.0) and rates[-1] == pytest.approx(0.01)
    assert np.all(np.diff(rates[:50]) > 0) and np.all(np.diff(rates[50:]) <= 0)


def test_jitter_keeps_a_picture_a_picture() -> None:
    pictures = torch.full((4, SIZE_PX, SIZE_PX, 3), 250, dtype=torch.uint8)
    spoilt = vision.jitter(pictures, np.random.default_rng(0))
    assert spoilt.shape == pictures.shape and spoilt.min() >= 0 and spoilt.max() <= 255
    assert spoilt.std() > 1.0


def test_who_names_things_says_what_its_numbers_stand_for(data: Path, tmp_path: Path) -> None:
    """Of two folders the first one's words come first: in another order cups would be called mugs."""
    made = vision.train(vision.VisionConfig(data=[str(data)], out=str(tmp_path / "run"), steps=1, batch=2))
    path = made.with_name(vision.ENTITIES_FILE)
    features = ConvEncoder(size_px=SIZE_PX)
    assert features.grid is not None
    size = (features.grid, features.feature_dim)
    take_weights(Entities(*size, ("red", "blue"), ("block",)), path, "entities")
    with pytest.raises(CheckpointError, match=r"colours 'red,blue', and this model 'blue,red'"):
        take_weights(Entities(*size, ("blue", "red"), ("block",)), path, "entities")
