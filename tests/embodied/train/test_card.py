# SPDX-License-Identifier: Apache-2.0
"""A model card: its numbers are those of the files, and what is missing is named."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from embodied.errors import EmbodiedError
from embodied.language.verbs import abilities
from embodied.model.checkpoint import MODEL_TYPE
from embodied.report import wilson
from embodied.train.card import CardConfig, table, write
from embodied.train.palme import PalmeTrainConfig


def evaluation(policy: str = "palme") -> dict[str, Any]:
    rows = [
        {"task": task, "split": split, "episodes": 20, "successes": count, "success": count / 20}
        | {"ci95": list(wilson(count, 20)), "score_mean": 0.5, "steps_mean": 1.0}
        | {"wrong": 0.3, "wrong_ci95": list(wilson(6, 20)), "refused": 0.05, "refused_ci95": list(wilson(1, 20))}
        | {"decision_ms": {"p50": 70.0, "p95": 94.0}}
        for task, split, count in (("touch", "seen", 20), ("touch", "pair", 17), ("stack", "seen", 3))
    ]
    return {"policy": policy, "suite": "tabletop", "seed": 1_000_000, "results": rows}


RUN = {
    "config": asdict(PalmeTrainConfig(steps=1234, batch=8)),
    "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
}


@pytest.fixture
def files(tmp_path: Path) -> CardConfig:
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    (tmp_path / "eval.json").write_text(json.dumps(evaluation()))
    (tmp_path / "model").mkdir()
    config = {"model_type": MODEL_TYPE, "backbone": {"num_hidden_layers": 6}}
    config |= {"verbs": ["touch", "stack"], "kinds": ["block", "bowl", "zone"], "colours": ["red", "black"]}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    return CardConfig(
        checkpoint=str(tmp_path / "model"),
        run=[str(tmp_path / "run.json")],
        results=[str(tmp_path / "eval.json")],
    )


def test_every_number_is_that_of_the_files(files: CardConfig) -> None:
    text = write(files).read_text(encoding="utf-8")
    assert "1,000,000" in text and "2.13.0" in text and "5.23.0" in text
    assert "1234 steps of 8 pictures" in text and "6 of its layers were trained on, its word" in text
    assert table(evaluation()).strip() in text
    config = asdict(PalmeTrainConfig(steps=99, only=["plan", "projectors"]))
    Path(files.run[0]).write_text(json.dumps(RUN | {"config": config}))
    assert "99 steps of 4 pictures x 14 commands, plan and projectors alone, " in write(files).read_text()
    rows = table(evaluation())
    assert "| touch | pair | 20 | 85 [64, 95] | 30 [15, 52] | 5 [1, 24] |" in rows
    assert "| stack | seen | 20 | 15 [5, 36] |" in rows
    assert "of these kinds: block, bowl and zone; in these colours: red and black" in text
    assert f"It can {abilities(['touch', 'stack'])}." in text
    assert "{" not in text, "no slot is left open"


def test_layers_that_were_not_trained_are_named_by_their_file(files: CardConfig) -> None:
    path = Path(files.checkpoint) / "config.json"
    base = {"source": "package:some-words==1.0", "file": "words.gguf", "layers": 24, "sha256": "ab" * 32}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base": base}))
    text = write(files).read_text(encoding="utf-8")
    assert "the 24 below them" in text and f"words.gguf (some-words==1.0, SHA-256 {'ab' * 32})" in text


def test_an_evaluation_that_did_not_judge_what_went_wrong_says_nothing_of_it(files: CardConfig) -> None:
    of_before, of_strangers = evaluation(), evaluation()
    for row in of_before["results"]:
        for name in ("wrong", "wrong_ci95", "refused", "refused_ci95"):
            del row[name]
    for row in of_strangers["results"]:
        row.update(wrong=None, wrong_ci95=None)
    assert "| touch | pair | 20 | 85 [64, 95] | - | - |" in table(of_before)
    assert "| touch | pair | 20 | 85 [64, 95] | - | 5 [1, 24] |" in table(of_strangers)


def test_a_checkpoint_that_does_not_tell_its_words_is_to_be_converted(files: CardConfig) -> None:
    config = {"model_type": MODEL_TYPE, "backbone": {"num_hidden_layers": 6}, "verbs": ["touch"]}
    (Path(files.checkpoint) / "config.json").write_text(json.dumps(config))
    with pytest.raises(EmbodiedError, match=r"does not tell its kinds and colours.*recipe=convert"):
        write(files)


def test_what_is_missing_is_named(files: CardConfig, tmp_path: Path) -> None:
    with pytest.raises(EmbodiedError, match="needs results="):
        write(CardConfig(checkpoint=files.checkpoint, run=files.run))
    with pytest.raises(EmbodiedError, match=r"none\.json"):
        write(CardConfig(checkpoint=files.checkpoint, run=[str(tmp_path / "none.json")], results=files.results))
    assert not (tmp_path / "model" / "README.md").exists()
