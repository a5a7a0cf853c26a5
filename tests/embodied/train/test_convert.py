# SPDX-License-Identifier: Apache-2.0
"""An older checkpoint is refused with the command that converts it, and that command converts it."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from embodied import cli
from embodied.errors import CheckpointError
from embodied.model import checkpoint
from embodied.model.engine import Engine
from embodied.model.palme import FORMAT, Palme

PICTURE = torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def older(tiny: Palme, tmp_path: Path) -> Path:
    """A checkpoint as it was written before models said which words they speak."""
    folder = tmp_path / "older"
    tiny.bfloat16().float().save_pretrained(folder)
    data = json.loads((folder / "config.json").read_text())
    assert data["format"] == FORMAT
    for key in ("format", "verbs", "other_colours", "senses", "fusion", "heads", "frozen"):
        del data[key]
    data["picture"] = "front"
    data["modalities"] = {
        "front": {"encoder": "conv", "options": {"size_px": 32, "width": 8}},
        "state": {"encoder": "mlp", "options": {"size": 8, "hidden": 16}},
        "objects": {"encoder": "object", "options": {"size": 5, "hidden": 16}},
    }
    (folder / "config.json").write_text(json.dumps(data))
    (folder / "SHA256SUMS").unlink()
    return folder


def test_the_command_in_the_refusal_converts_it(older: Path, tiny: Palme, capsys: pytest.CaptureFixture[str]) -> None:
    weights = {path: path.read_bytes() for path in older.glob("*.safetensors")}
    with pytest.raises(CheckpointError, match=r"has no SHA256SUMS, .* it is older") as caught:
        Palme.from_pretrained(older)
    message = str(caught.value)
    assert "\n" not in message
    program, *arguments = shlex.split(message.partition("convert it with: ")[2])
    assert program == "embodied"
    assert cli.main(arguments) == cli.OK
    assert f"wrote {older / 'config.json'}" in capsys.readouterr().out
    converted = Palme.from_pretrained(older)
    assert converted.config == replace(tiny.config, frozen=("front",))
    answers = [
        Engine(model).answer({"front": PICTURE, "state": torch.zeros(8)}, "lift the red block")
        for model in (tiny, converted)
    ]
    assert answers[0].plan == answers[1].plan
    assert {path: path.read_bytes() for path in weights} == weights, "weights stay as they are"


def test_what_is_converted_already_stays_as_it_is(older: Path) -> None:
    convert = ["train", "recipe=convert", f"checkpoint={older}"]
    assert cli.main(convert) == cli.OK
    before = (older / "config.json").read_text()
    assert cli.main(convert) == cli.OK
    assert (older / "config.json").read_text() == before


def test_a_newer_checkpoint_is_not_called_convertible(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads((older / "config.json").read_text())
    (older / "config.json").write_text(json.dumps(data | {"format": FORMAT + 1}))
    checkpoint.write_sums(older)
    with pytest.raises(CheckpointError, match=rf"has format {FORMAT + 1}, and this reads {FORMAT}") as caught:
        Palme.from_pretrained(older)
    assert "convert" not in str(caught.value)
    assert cli.main(["train", "recipe=convert", f"checkpoint={older}"]) == cli.FAILED
    assert f"has format {FORMAT + 1}" in capsys.readouterr().err


def test_what_is_no_checkpoint_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    for folder, words in ((tmp_path, "not 'embodied-palme'"), (tmp_path / "none", "no checkpoint directory")):
        assert cli.main(["train", "recipe=convert", f"checkpoint={folder}"]) == cli.FAILED
        message = capsys.readouterr().err
        assert words in message and len(message.strip().splitlines()) == 1


def test_a_damaged_one_is_not_given_digests(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The index of older ones told the digests of the weights."""
    (shard,) = older.glob("*.safetensors")
    index = older / checkpoint.INDEX
    told = {"sha256": {shard.name: hashlib.sha256(shard.read_bytes()).hexdigest()}}
    index.write_text(json.dumps(json.loads(index.read_text()) | {"metadata": told}))
    data = shard.read_bytes()
    shard.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert cli.main(["train", "recipe=convert", f"checkpoint={older}"]) == cli.FAILED
    assert f"{shard} is missing or damaged" in capsys.readouterr().err
    shard.write_bytes(data)
    assert cli.main(["train", "recipe=convert", f"checkpoint={older}"]) == cli.OK
    Palme.from_pretrained(older)
