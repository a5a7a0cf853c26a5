# SPDX-License-Identifier: Apache-2.0
"""The picture encoder is pretrained on captions, goes on where it was cut short, and is measured on other scenes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from embodied.errors import EmbodiedError, UnknownNameError
from embodied.model.encoders.conv import ConvEncoder
from embodied.train import clip, run
from embodied.train.grounding_data import GroundingData
from tests.embodied.train.scenes import SIZE_PX, write_scenes


@pytest.fixture
def config(tmp_path: Path) -> clip.ClipConfig:
    scenes = [[(i % 3, i // 3, 0.3, 0.5), (2 - i // 3, i % 3, 0.8, 0.6)] for i in range(8)]
    return clip.ClipConfig(
        data=[str(write_scenes(tmp_path / "data", scenes, seed=0))],
        test=str(write_scenes(tmp_path / "held_out", scenes, seed=100)),
        out=str(tmp_path / "run"),
        steps=4,
        batch=4,
        save_every=2,
    )


def test_the_encoder_is_trained_and_measured_on_other_scenes(
    config: clip.ClipConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    made = clip.train(config)
    encoder = ConvEncoder(size_px=SIZE_PX)
    encoder.load_state_dict(load_file(made), strict=True)
    rows = [json.loads(line) for line in (made.parent / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 3] and all(np.isfinite(row["contrast"]) for row in rows)
    measured = json.loads((made.parent / clip.SCORES_FILE).read_text())
    assert measured["seeds"] == [100, 108] and measured["scenes"] == 8 and measured["test"] == config.test
    assert {row["n"] for row in measured["rows"]} == {8, 16}
    assert "zero-shot kind" in capsys.readouterr().out
    again = clip.train(replace(config, out=f"{config.out}-on", init=config.out, steps=0))
    assert all(torch.equal(value, load_file(made)[name]) for name, value in load_file(again).items()), "init"


def test_a_run_that_was_cut_short_ends_as_one_that_was_not(
    config: clip.ClipConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = replace(config, out=f"{config.out}-cut")
    with monkeypatch.context() as patch:
        saved = run.save_progress

        def save_and_die(*arguments: Any) -> None:
            saved(*arguments)
            raise KeyboardInterrupt

        patch.setattr(run, "save_progress", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            clip.train(cut)
    a, b = (load_file(clip.train(each)) for each in (config, cut))
    assert all(torch.equal(value, b[name]) for name, value in a.items())
    other = write_scenes(Path(f"{config.test}-more"), [[(0, 0, 0.5, 0.5)]] * 6, seed=200)
    clip.train(replace(config, test=str(other)))
    assert json.loads((Path(config.out) / clip.SCORES_FILE).read_text())["scenes"] == 6, "measured on yet others"


def test_scenes_that_are_trained_on_are_not_measured_on(config: clip.ClipConfig, tmp_path: Path) -> None:
    write_scenes(tmp_path / "held_out", [[(0, 0, 0.5, 0.5)]] * 8, seed=7)
    with pytest.raises(EmbodiedError, match=r"seeds 7 to 14\) are trained on; collect others with another seed="):
        clip.train(config)
    assert not Path(config.out).exists()


def test_what_cannot_be_trained_or_measured_is_refused_before_anything_is(
    config: clip.ClipConfig, tmp_path: Path
) -> None:
    def refused(match: str, **given: Any) -> None:
        with pytest.raises(EmbodiedError, match=match):
            clip.train(replace(config, **given))
        assert not Path(config.out).exists()

    refused("batch=0: it must be above 0", batch=0)
    refused("save_every=0: it must be above 0", save_every=0)
    refused("steps=-1: it must be 0 or more", steps=-1)
    refused("data= needs at least one folder", data=[])
    few = write_scenes(tmp_path / "few", [[(0, 0, 0.5, 0.5)]] * 2, seed=300)
    refused("2 scenes are too few", test=str(few))
    strange = write_scenes(tmp_path / "strange", [[(0, 0, 0.5, 0.5)]] * 6, seed=400)
    meta = json.loads((strange / "meta.json").read_text())
    (strange / "meta.json").write_text(json.dumps(meta | {"kinds": ["teapot", *meta["kinds"][1:]]}))
    refused("no caption of the training data has the word 'teapot'", test=str(strange))
    np.save(few / "pictures.npy", np.zeros((2, 2 * SIZE_PX, 2 * SIZE_PX, 3), np.uint8))
    refused(rf"pictures of \[{SIZE_PX}, {2 * SIZE_PX}\] px", data=[*config.data, str(few)])


def test_kinds_that_are_seldom_seen_are_not_seldom_shown(tmp_path: Path) -> None:
    scenes = [[(0, 0, 0.2, 0.2), (0, 0, 0.8, 0.2)]] * 49 + [[(1, 2, 0.5, 0.5)]]
    pairs = clip.Pairs([GroundingData(write_scenes(tmp_path / "data", scenes, seed=0))])
    pictures, texts, same = pairs.draw(200, np.random.default_rng(0))
    assert pictures.shape == (200, SIZE_PX, SIZE_PX, 3)
    assert len(texts) == (1 + clip.WRONG) * 200 and same.shape == (200, len(texts))
    zones = torch.tensor(["zone" in text for text in texts[:200]])
    assert 30 < zones.sum() < 80, "a quarter, and not one in a hundred"
    assert same[:, :200].diagonal().all() and not same[zones][:, :200][:, ~zones].any()
    of_wrong = torch.arange(200).repeat_interleave(clip.WRONG)
    assert not same[of_wrong, torch.arange(200, len(texts))].any(), "what is told wrong is not what is there"


def test_what_is_said_to_lie_left_lies_left_also_where_left_is_right(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path / "data", [[(0, 0, 0.1, 0.2), (2, 1, 0.9, 0.2)]], seed=0)
    picture = np.zeros((1, SIZE_PX, SIZE_PX, 3), np.uint8)
    picture[0, :, : SIZE_PX // 2, 0] = picture[0, :, SIZE_PX // 2 :, 2] = 200  # red left, blue right
    np.save(folder / "pictures.npy", picture)
    pictures, texts, _ = clip.Pairs([GroundingData(folder)]).draw(200, np.random.default_rng(0))
    told = [text for text in texts[:200] if "left" in text]
    seen = [shown for shown, text in zip(pictures, texts, strict=False) if "left" in text]
    red_left = [bool(shown[:, 0, 0].mean() > shown[:, -1, 0].mean()) for shown in seen]
    assert red_left == ["red block at the back left" in text for text in told]
    assert 0.3 < np.mean(red_left) < 0.7


def test_encoders_of_something_else_are_refused() -> None:
    for name in ("conv", "vit", "patches"):
        assert clip.encoder_of(name, SIZE_PX).grid is not None
    for name in ("depth", "mlp", "points", "video"):
        with pytest.raises(EmbodiedError, match=f"encoder '{name}' is none of single pictures"):
            clip.encoder_of(name, SIZE_PX)
    with pytest.raises(UnknownNameError):
        clip.encoder_of("eye", SIZE_PX)
