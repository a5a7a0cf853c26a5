# SPDX-License-Identifier: Apache-2.0
"""Plain text beside commands: read as the language model reads it, and learned where it is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import transformers

from embodied.commands import bench
from embodied.config import parse
from embodied.errors import EmbodiedError
from embodied.model.backbone import Backbone
from embodied.model.base import read_base
from embodied.model.composition import BaseConfig, PalmeConfig, PartConfig, SenseConfig
from embodied.model.palme import Palme
from embodied.model.plain import untouched_lm
from embodied.train import palme, plain_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@pytest.fixture
def above_a_base(tmp_path: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch) -> Palme:
    """The upper two of three layers of a tiny language model, above the first."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2}
    shape |= {"num_hidden_layers": 3, "vocab_size": len(tokenizer), "tie_word_embeddings": True}
    config = transformers.LlamaConfig(initializer_range=0.3, **shape)
    folder = str(tmp_path / "lm")
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    base, named = read_base(BaseConfig(folder, "model.safetensors", 1))
    backbone = Backbone.from_causal_lm(folder, layers=2, below=1)
    backbone.embedding = base.embedding
    senses = {"state": SenseConfig(PartConfig("mlp", {"size": 8, "hidden": 16}), reading="joints")}
    return Palme(PalmeConfig(senses, heads={"plan": PartConfig("plan")}, base=named), backbone, tokenizer, base).eval()


def test_what_is_held_out_is_never_trained_on() -> None:
    held_out, trained = (set(plain_text.pieces(held_out=each)) for each in (True, False))
    everything = "\n".join(trained)
    assert not [piece for piece in held_out for start in range(0, 520, 40) if piece[start : start + 80] in everything]
    assert len(trained) > 5 * len(held_out) > 100
    assert {len(each) for each in held_out | trained} == {plain_text.CHARACTERS}


def test_a_model_that_learned_nothing_reads_text_as_the_language_model_does(above_a_base: Palme) -> None:
    model, texts = above_a_base, plain_text.pieces(held_out=True)[:3]
    assert model.entry is not None and model.config.base is not None
    untouched, words = plain_text.perplexity_of(untouched_lm(model.config.base), model.tokenizer, texts)
    assert words == 3 * (plain_text.CHARACTERS - 1), "a byte is a word here, and the first has none before it"
    assert plain_text.perplexity(model, texts)[0] != pytest.approx(untouched, rel=1e-3), "words enter as themselves too"
    with torch.no_grad():
        model.entry.map.weight.zero_()
    # The table of words is in int8, in ours.
    assert plain_text.perplexity(model, texts) == (pytest.approx(untouched, rel=0.02), words)


def test_bench_measures_what_decides(above_a_base: Palme, tmp_path: Path) -> None:
    above_a_base.save_pretrained(tmp_path / "model")
    words = [f"options.checkpoint={tmp_path / 'model'}", "threads=1"]
    found = bench.measure_text(parse(bench.BenchOptions, words, command="embodied bench"))
    assert found["words"] > 20 * plain_text.CHARACTERS
    assert found["ratio"] == pytest.approx(found["perplexity"] / found["untouched"])
    assert f"ratio {found['ratio']:.2f}" in bench.LINES["text"].format(**found)


def test_no_word_tells_of_itself(tiny: Palme) -> None:
    text = plain_text.pieces(held_out=True)[0]
    with torch.no_grad():
        before, after = (plain_text.surprises(tiny, [each])[0] for each in (text, text[:300] + "~" + text[301:]))
    assert torch.allclose(before[:299], after[:299], atol=1e-5)
    assert not torch.allclose(before[299:], after[299:], atol=1e-2)


def test_it_is_learned(tiny: Palme) -> None:
    texts = plain_text.pieces(held_out=True)[:3]
    before, _ = plain_text.perplexity(tiny, texts)
    optimizer = torch.optim.AdamW(tiny.backbone.parameters(), lr=3e-3)
    for step in range(30):
        optimizer.zero_grad()
        plain_text.loss(tiny.train(), np.random.default_rng(step))[plain_text.PART].backward()
        optimizer.step()
    assert plain_text.perplexity(tiny.eval(), texts)[0] < 0.5 * before


def test_training_reads_it_where_it_is_asked_for(tiny: Palme, tmp_path: Path) -> None:
    tiny.save_pretrained(tmp_path / "init")
    data = tmp_path / "data"
    data.mkdir()
    np.save(data / "pictures.npy", np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8))
    scene = {"objects": [[0, 0, 9.0, 20.0, 0.5, 0.0, None]], "commands": [["touch the red block", "touch red block"]]}
    (data / "scenes.jsonl").write_text(4 * (json.dumps(scene) + "\n"))
    words = {name: getattr(tiny.config, name) for name in ("verbs", "answers", "kinds", "colours", "other_colours")}
    (data / "meta.json").write_text(json.dumps({"seed": 0, "state": [0.0] * 8} | words))
    for text in (0.0, 0.5):
        given = {"data": [str(data)], "init": str(tmp_path / "init"), "steps": 2, "batch": 2, "commands": 2}
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / f"run{text}"), text=text, **given))
        log = (tmp_path / f"run{text}" / "log.jsonl").read_text()
        assert (f'"{plain_text.PART}"' in log) == bool(text)
    with pytest.raises(EmbodiedError, match=r"text=-1.0: it must be 0 or more"):
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "other"), text=-1.0, **given))
