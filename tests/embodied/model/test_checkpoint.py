# SPDX-License-Identifier: Apache-2.0
"""Save and load give the same model; anything else is refused with the reason."""

import json
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from embodied import cli
from embodied.errors import CheckpointError
from embodied.model import checkpoint
from embodied.model.engine import Engine
from embodied.model.palme import Palme

ROOT = Path(__file__).resolve().parents[3]
PICTURE = torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def change(path: Path, **values: Any) -> None:
    """Replace values of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_part(folder: Path, part: str, **values: Any) -> None:
    """Replace values of a part of `config.json`."""
    config = json.loads((folder / "config.json").read_text())
    change(folder / "config.json", **{part: config[part] | values})


@pytest.fixture
def saved(tiny: Palme, tmp_path: Path) -> Path:
    tiny.bfloat16().float().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def refusal(folder: Path) -> str:
    """The line in which a checkpoint is refused."""
    with pytest.raises(CheckpointError) as caught:
        Palme.from_pretrained(folder)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000
    return str(caught.value)


def test_a_loaded_model_answers_the_same(tiny: Palme, saved: Path):
    before = Engine(tiny).answer({"front": PICTURE, "state": torch.zeros(8)}, "lift the red block")
    after = Engine(Palme.from_pretrained(saved)).answer(
        {"front": PICTURE, "state": torch.zeros(8)}, "lift the red block"
    )
    assert after.plan == before.plan
    points = [[u for sight in answer.sights for u in sight.point] for answer in (before, after)]
    assert points[1] == pytest.approx(points[0], rel=1e-3)
    assert after.confidence == pytest.approx(before.confidence, rel=1e-4)


def test_the_digests_are_those_that_coreutils_check(saved: Path):
    checked = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=saved, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    files = {path.relative_to(saved).as_posix() for path in saved.rglob("*") if path.is_file()}
    assert {line.partition(":")[0] for line in checked.stdout.splitlines()} == files - {"SHA256SUMS"}


def spoil(folder: Path, rng: random.Random) -> str:
    """Change a file of a checkpoint as accidents and attackers do; says what was done."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = rng.choice([each for each in files for _ in range(1 + 2 * (each.suffix == ".safetensors"))])
    data = bytearray(path.read_bytes())
    what = rng.choice(["flip", "flip", "flip", "cut", "grow", "away", "huge", "twice", "swap", "more", "digit"])
    if what == "flip":
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(min(len(data), rng.choice([16, 4000, 10**9])))] ^= 1 << rng.randrange(8)
    elif what == "cut":
        del data[rng.randrange(len(data)) :]
    elif what == "grow":
        data += rng.choice([b"\0", b"\n", b" ", b"{}", bytes(100)])
    elif what == "huge":
        data[:8] = rng.choice([1 << 63, 2**64 - 1, len(data), 0, 10**9]).to_bytes(8, "little")
    elif what == "twice":
        data = data.replace(b"{", b'{"model_type":"x","model_type":"y",', 1)
    elif what == "swap":
        data = bytearray(rng.choice(files).read_bytes())
    elif what == "digit":
        digits = [at for at, byte in enumerate(data[:5000]) if chr(byte).isdigit()]
        data[rng.choice(digits or [0])] = ord(rng.choice("0123456789"))
    if what == "away":
        path.unlink()
    elif what == "more":
        name = rng.choice(["tokenizer/added_tokens.json"] * 5 + ["tokenizer/chat_template.jinja", "modeling_x.py"])
        (folder / name).write_bytes(b'{"<x>": 3}')
    else:
        path.write_bytes(bytes(data))
    return f"{what} of {path.name}"


def test_a_thousand_changes_are_refused_in_a_line_or_load_the_same(tiny: Palme, saved: Path):
    """Of the files alone: who changes them and the digests together is below."""
    whole = {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    wanted, refused, slowest = tiny.state_dict(), 0, 0.0
    for seed in range(1000):
        what = spoil(saved, random.Random(seed))
        began, line, same = time.perf_counter(), "", False
        try:
            read = Palme.from_pretrained(saved).state_dict()
            same = all(torch.equal(value, read[name]) for name, value in wanted.items())
        except CheckpointError as error:
            line = str(error)
            refused += 1
        slowest = max(slowest, time.perf_counter() - began)
        assert same or (line and line.isprintable() and len(line) < 1000), (seed, what, line)
        for path in saved.rglob("*"):
            if path.is_file() and path not in whole:
                path.unlink()
        for path, data in whole.items():
            path.write_bytes(data)
    assert refused > 800 and slowest < 10.0


def weights_changed(folder: Path, changed: Callable[[dict[str, torch.Tensor]], object]) -> None:
    (shard,) = folder.glob("*.safetensors")
    state = load_file(shard)
    changed(state)
    save_file(state, shard)


def pretrained_front(folder: Path, **values: Any) -> None:
    """Say that the encoder is a vision model of anyone's."""
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = {"model_type": "vit", "image_size": 32, "patch_size": 16, **sizes, **values}
    change(folder / "config.json", senses={"front": {"encoder": {"name": "pretrained", "options": {"config": model}}}})


KEY = "grounding.centre.bias"
SENSES = {"front": {"encoder": "conv", "options": {"size_px": 32, "width": 8}}}
REASONS: dict[str, tuple[Callable[[Path], object], str]] = {
    "foreign": (lambda d: (d / "config.json").write_text('{"model_type": "llama"}'), "not 'embodied-palme'"),
    "no JSON": (lambda d: (d / "config.json").write_text("{"), "is damaged"),
    "a list": (lambda d: (d / "config.json").write_text("[]"), "holds no JSON object"),
    "deep": (lambda d: (d / "config.json").write_text("[" * 100_000), "too many lists within lists"),
    "twice": (lambda d: (d / "config.json").write_text('{"a": 1, "a": 2}'), "the key 'a' is there twice"),
    "no number": (lambda d: change_part(d, "backbone", rms_norm_eps=float("nan")), "NaN is no number of JSON"),
    "nan": (lambda d: weights_changed(d, lambda s: s[KEY].fill_(float("nan"))), "holds values that are not finite"),
    "infinite": (lambda d: weights_changed(d, lambda s: s[KEY].fill_(float("inf"))), "values that are not finite"),
    "type": (lambda d: weights_changed(d, lambda s: s.update({KEY: s[KEY].int()})), "is of torch.int32, the config"),
    "more weights": (lambda d: weights_changed(d, lambda s: s.update(x=torch.ones(1))), "tells of other weights"),
    "header": (lambda d: next(d.glob("*.safetensors")).write_bytes(b"\xff" * 8 + b"{}"), "is not a safetensors file"),
    "no tensors": (lambda d: next(d.glob("*.safetensors")).write_bytes(b"no tensors"), "is not a safetensors file"),
    "path": (lambda d: change(d / checkpoint.INDEX, weight_map={"x": "../x.safetensors"}), "not the name of a weight"),
    "no map": (lambda d: change(d / checkpoint.INDEX, weight_map=3), "damaged: it has no weight_map"),
    "shape": (
        lambda d: change(d / "config.json", senses=SENSES | {"state": {"encoder": "mlp", "options": {"size": 9}}}),
        "has shape|does not fit its config: missing",
    ),
    "encoder": (
        lambda d: change(d / "config.json", senses={"front": {"encoder": "cnn"}}),
        "speaks of the encoder cnn, which is not installed; there are: .*conv, .*mlp",
    ),
    "code": (
        lambda d: change(d / "config.json", senses={"front": {"encoder": {"name": "os:system"}}}),
        "speaks of the encoder os:system, which is not installed",
    ),
    "options": (
        lambda d: change(d / "config.json", senses={"front": {"encoder": "conv", "options": {"sice_px": 32}}}),
        "encoder 'conv' with the options .*unexpected keyword argument 'sice_px'",
    ),
    "part": (
        lambda d: change(d / "config.json", senses={"front": {"encodr": "conv"}}),
        "unknown key of .*Did you mean 'encoder'",
    ),
    "language model": (lambda d: change(d / "config.json", backbone={"model_type": "x"}), "names no known language"),
    "no words": (lambda d: change(d / "config.json", verbs=None), "verbs in .* must be a list of words"),
    "no verbs": (lambda d: change(d / "config.json", verbs=[], kinds=[]), "has shape"),
    "no attention": (lambda d: change_part(d, "backbone", num_attention_heads=0), "does not describe a model"),
    "format": (lambda d: change(d / "config.json", format="3"), "has format '3', and this reads 3"),
    "auto_map": (
        lambda d: change(d / "tokenizer/tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", None]}),
        "",
    ),
    "no tokenizer": (lambda d: (d / "tokenizer/tokenizer.json").write_text("{}"), "no tokenizer at"),
    **{
        f"{name}={value}": (partial(change_part, part="backbone", **{name: value}), "")
        for name in ("intermediate_size", "hidden_size", "num_hidden_layers", "vocab_size", "num_labels")
        for value in (0, -1, 10**5, 10**9, 10**13, 2**63, "many", [1], None)
    },
    "experts without end": (
        partial(change_part, part="fusion", name="mixture", options={"experts": 10**5, "chosen": 2}),
        "larger model than its weights are",
    ),
    **{
        f"a vision model with {name}={value}": (partial(pretrained_front, **{name: value}), reason)
        for name, value, reason in (
            ("hidden_size", 10**5, "larger model than its weights are"),
            ("num_hidden_layers", 10**9, "num_hidden_layers is 1000000000, and its weights are"),
            ("num_labels", 10**9, "num_labels is 1000000000, and its weights are"),
            ("num_hidden_layers", 900, "larger model than its weights are"),
            ("image_size", 10**6, "size_px must be a multiple of 16 up to 1024"),
            ("patch_size", 0, "patch_px must be a whole number from 1 on"),
            ("_attn_implementation", "org/kernel", "'org/kernel': a checkpoint names no code to run"),
            ("auto_map", {"AutoModel": "org/repo--modeling.Model"}, "a checkpoint names no code to run"),
            ("model_type", "x", "names no known vision model"),
            ("model_type", "llama", "'llama' reads more than pictures"),
            ("model_type", "qwen2_vl", "larger model than its weights are"),
            ("hidden_act", "x", "'vit' cannot be built: unknown 'x'"),
        )
    },
    "kernels": (partial(change_part, part="backbone", _attn_implementation="org/kernel"), "names no code to run"),
    "layers of an encoder without end": (
        lambda d: change(
            d / "config.json",
            senses={"front": {"encoder": {"name": "vit", "options": {"size_px": 32, "width": 9, "depth": 10**9}}}},
        ),
        "larger model than its weights are",
    ),
}
"""What is changed together with the digests, and why it is refused; empty: for any reason, or it is sound."""


@pytest.mark.parametrize("where", REASONS)
def test_what_is_changed_on_purpose_is_checked_as_strictly(saved: Path, where: str):
    spoil_it, reason = REASONS[where]
    spoil_it(saved)
    assert "damaged" in refusal(saved) or "SHA256SUMS" in refusal(saved), "the digests tell it first"
    line = ""
    began = time.perf_counter()
    try:
        checkpoint.write_sums(saved)
        Palme.from_pretrained(saved)
    except CheckpointError as error:
        line = str(error)
    assert re.search(reason, line) and bool(line) >= bool(reason), line
    assert line.isprintable() and len(line) < 1500 and time.perf_counter() - began < 20.0


def test_what_is_missing_is_told(saved: Path):
    assert "no checkpoint directory" in refusal(saved / "nowhere")
    (saved / "SHA256SUMS").rename(saved / "sums")
    line = refusal(saved)
    assert (
        f"has no SHA256SUMS.*; convert it with: embodied train recipe=convert checkpoint={saved}".split(".*")[1] in line
    )
    assert cli.main(shlex.split(line.partition("embodied ")[2])) == cli.OK
    Palme.from_pretrained(saved)
    assert (saved / "sums").read_text() == (saved / "SHA256SUMS").read_text()
    shutil.rmtree(saved / "tokenizer")
    assert "'tokenizer/tokenizer.json' is missing" in refusal(saved)
    checkpoint.write_sums(saved)
    assert "no tokenizer at" in refusal(saved) and "a checkpoint brings its own" in refusal(saved)
    next(saved.glob("*.safetensors")).unlink()
    assert "is missing from" in refusal(saved)


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
    folder = checkpoint.Path(sys.argv[1])
    checkpoint.save(folder, {"format": 3}, state, lambda folder: (folder.mkdir(), (folder / "words").write_text("a")))
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
    checkpoint.check_whole(tmp_path / "model")
    checkpoint.load_weights(model, tmp_path / "model")
    values = {value for layer in model.values() for value in layer.tolist()}
    assert len(values) == 1 and min(values) >= 1.0, "all of one save"
