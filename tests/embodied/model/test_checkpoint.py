# SPDX-License-Identifier: Apache-2.0
"""Save and load give the same model; anything else is refused with the reason."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from embodied.errors import CheckpointError
from embodied.model import checkpoint
from embodied.model.engine import Engine
from embodied.model.palme import Palme

ROOT = Path(__file__).resolve().parents[3]
PICTURE = torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


REASONS = {
    "missing": "is missing",
    "truncated": "damaged",
    "flipped": "damaged",
    "foreign": "not 'embodied-palme'",
    "nan": "not finite",
    "shape": "has shape",
    "no config": "no checkpoint",
    "path": "is missing",
    "no digests": "is not an index of this project",
    "unlisted": "lists shards without digests",
    "no JSON": "is damaged",
    "a list": "holds no JSON object",
    "more parts": "does not fit its config: missing",
    "no tensors": "is not a safetensors file",
    "encoder": "speaks of the encoder cnn, which is not installed; there are: .*conv, .*mlp",
    "language model": "names no known language model",
    "code": "speaks of the encoder os:system, which is not installed",
    "options": "encoder 'conv' with the options .*unexpected keyword argument 'sice_px'",
    "part": "unknown key of config.json'|unknown key of .*Did you mean 'encoder'",
    "no words": "does not describe a model: 'verbs'",
    "no tokenizer": "no tokenizer at",
    "no tokenizer folder": "no tokenizer at .*; a checkpoint brings its own",
    "no verbs": "has shape",
    "no attention": "does not describe a model",
    "too large": "does not describe a model|cannot be read|memory",
    "format": "has format '3', and this reads 3",
}


def change(path: Path, **values: Any) -> None:
    """Replace values of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def saved(tiny: Palme, tmp_path: Path) -> Path:
    tiny.bfloat16().float().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_loaded_model_answers_the_same(tiny: Palme, saved: Path):
    before = Engine(tiny).answer({"front": PICTURE, "state": torch.zeros(8)}, "lift the red block")
    after = Engine(Palme.from_pretrained(saved)).answer(
        {"front": PICTURE, "state": torch.zeros(8)}, "lift the red block"
    )
    assert after.plan == before.plan
    points = [[u for sight in answer.sights for u in sight.point] for answer in (before, after)]
    assert points[1] == pytest.approx(points[0], rel=1e-3)
    assert after.confidence == pytest.approx(before.confidence, rel=1e-4)


@pytest.mark.parametrize("where", REASONS)
def test_a_damaged_checkpoint_is_refused_with_the_reason(saved: Path, where: str):
    (shard,) = saved.glob("*.safetensors")
    config = saved / "config.json"
    index = saved / "model.safetensors.index.json"
    reason = REASONS[where]
    if where == "missing":
        shard.unlink()
    elif where == "truncated":
        shard.write_bytes(shard.read_bytes()[:-100])
    elif where == "flipped":
        data = bytearray(shard.read_bytes())
        data[-1] ^= 1
        shard.write_bytes(bytes(data))
    elif where == "foreign":
        config.write_text(json.dumps({"model_type": "llama"}))
    elif where == "nan":
        model = Palme.from_pretrained(saved)
        model.grounding.centre.bias.data.fill_(float("nan"))
        model.save_pretrained(saved)
    elif where == "shape":
        data = json.loads(config.read_text())
        data["senses"]["state"]["encoder"]["options"]["hidden"] = 24
        config.write_text(json.dumps(data))
    elif where == "no config":
        saved = saved / "nowhere"
    elif where == "path":
        data = json.loads(index.read_text())
        data["metadata"]["sha256"]["../x.safetensors"] = "0"
        data["weight_map"]["x"] = "../x.safetensors"
        index.write_text(json.dumps(data))
    elif where == "no digests":
        change(index, metadata={})
    elif where == "unlisted":
        change(index, weight_map={"x": "other.safetensors"})
    elif where == "no JSON":
        config.write_text("{")
    elif where == "a list":
        config.write_text("[]")
    elif where == "more parts":
        senses = json.loads(config.read_text())["senses"]
        change(config, senses=senses | {"more": {"encoder": {"name": "mlp", "options": {"size": 3}}}})
    elif where == "no tensors":
        shard.write_bytes(b"no tensors")
        change(index, metadata={"sha256": {shard.name: hashlib.sha256(b"no tensors").hexdigest()}})
    elif where == "encoder":
        senses = json.loads(config.read_text())["senses"]
        change(config, senses=senses | {"front": {"encoder": "cnn"}})
    elif where == "no tokenizer folder":
        shutil.rmtree(saved / "tokenizer")
    elif where == "no verbs":
        change(config, verbs=[], kinds=[])
    elif where == "no attention":
        change(config, backbone=json.loads(config.read_text())["backbone"] | {"num_attention_heads": 0})
    elif where == "too large":
        change(config, backbone=json.loads(config.read_text())["backbone"] | {"intermediate_size": 10**13})
    elif where == "format":
        change(config, format="3")
    elif where == "code":
        senses = json.loads(config.read_text())["senses"]
        change(config, senses=senses | {"front": {"encoder": "os:system", "options": {"command": "touch gotcha"}}})
    elif where == "options":
        senses = json.loads(config.read_text())["senses"]
        change(config, senses=senses | {"front": {"encoder": "conv", "options": {"sice_px": 32}}})
    elif where == "part":
        senses = json.loads(config.read_text())["senses"]
        change(config, senses=senses | {"front": {"encodr": "conv"}})
    elif where == "language model":
        change(config, backbone={"model_type": "nonsense"})
    elif where == "no words":
        data = json.loads(config.read_text())
        del data["verbs"]
        config.write_text(json.dumps(data))
    elif where == "no tokenizer":
        shutil.rmtree(saved / "tokenizer")
    with pytest.raises(CheckpointError, match=reason) as caught:
        Palme.from_pretrained(saved)
    assert "\n" not in str(caught.value), "the reason is one line"


def test_large_weights_are_written_in_parts_and_read_as_one(
    tiny: Palme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tiny = tiny.bfloat16().float()
    monkeypatch.setattr(checkpoint, "MAX_SHARD_BYTES", 20_000)
    folder = tmp_path / "model"
    tiny.save_pretrained(folder)
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 3 and shards[0].name.startswith(f"model-00001-of-{len(shards):05d}-")
    assert all(shard.stat().st_size < 30_000 or len(load_file(shard)) == 1 for shard in shards)
    read = Palme.from_pretrained(folder).state_dict()
    assert all(torch.equal(value, read[name]) for name, value in tiny.state_dict().items())
    # Written again with fewer parts, none of the old ones is left.
    monkeypatch.setattr(checkpoint, "MAX_SHARD_BYTES", 10**9)
    tiny.save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) == 1
    Palme.from_pretrained(folder)


SAVE_SLOWLY = """
import sys, time
import torch
from embodied.model import checkpoint

written = checkpoint.save_file
def slowly(state, path, **options):
    time.sleep(0.03)
    written(state, path, **options)
    print("a shard", flush=True)
    time.sleep(0.03)

checkpoint.save_file, checkpoint.MAX_SHARD_BYTES = slowly, 4000
number = 0
while True:
    number += 1
    state = {f"layer{i}": torch.full((1000,), float(number)) for i in range(4)}
    checkpoint.save_weights(state, checkpoint.Path(sys.argv[1]))
    print("saved", flush=True)
"""


@pytest.mark.parametrize("shards", [0, 1, 3, 4])
def test_what_is_killed_while_it_saves_leaves_a_checkpoint_that_loads(tmp_path: Path, shards: int):
    command = [sys.executable, "-c", SAVE_SLOWLY, str(tmp_path / "model")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        while child.stdout.readline() != "saved\n":  # the first is whole
            assert child.poll() is None
        for _ in range(shards):
            while child.stdout.readline() != "a shard\n":
                assert child.poll() is None
        child.kill()
    model = torch.nn.ParameterDict({f"layer{i}": torch.zeros(1000) for i in range(4)})
    checkpoint.load_weights(model, tmp_path / "model")
    values = {value for layer in model.values() for value in layer.tolist()}
    assert len(values) == 1 and min(values) >= 1.0, "all of one save"
