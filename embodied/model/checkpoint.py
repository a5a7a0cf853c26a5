# SPDX-License-Identifier: Apache-2.0
"""Checkpoint files: safetensors shards with their digests, read back strictly or refused.

Nothing is unpickled and no code is loaded. A file that is missing, cut short, altered or foreign is
refused with the reason before any weight reaches a model.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from embodied.errors import CheckpointError
from embodied.files import write_json

INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
MODEL_TYPE = "embodied-palme"
MAX_SHARD_BYTES = 60_000_000


def save_weights(state: dict[str, Tensor], directory: Path) -> None:
    """Write `state` as shards of at most MAX_SHARD_BYTES, floats as bfloat16, and an index with digests.

    A shard's name holds its digest, so that new ones stand beside the old; the old go once the index names the
    new. However the process ends, what is in `directory` can be loaded.
    """
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for key, tensor in sorted(state.items()):
        stored = tensor.detach().cpu().contiguous()
        stored = stored.to(torch.bfloat16) if stored.is_floating_point() else stored
        if shards[-1] and size + stored.nbytes > MAX_SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][key] = stored
        size += stored.nbytes
    directory.mkdir(parents=True, exist_ok=True)
    part = directory / "shard.part"
    weight_map, digests = {}, {}
    for number, shard in enumerate(shards, start=1):
        save_file(shard, part, metadata={"format": "pt"})
        part.chmod(0o644)  # safetensors writes for the owner alone; a package is for all
        digest = _digest(part)
        name = f"model-{number:05d}-of-{len(shards):05d}-{digest[:8]}.safetensors"
        part.replace(directory / name)
        weight_map.update(dict.fromkeys(shard, name))
        digests[name] = digest
    write_json(directory / INDEX, {"metadata": {"sha256": digests}, "weight_map": weight_map})
    for old in directory.glob("*.safetensors"):
        if old.name not in digests:
            old.unlink()


def load_weights(model: nn.Module, directory: Path) -> None:
    """Read every shard into `model`, strictly. Raises CheckpointError with the reason otherwise."""
    index = read_json(directory / INDEX)
    try:
        digests: dict[str, str] = dict(index["metadata"]["sha256"])
        names = set(index["weight_map"].values())
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(f"{directory / INDEX} is not an index of this project: {error!r}") from error
    if names != set(digests):
        raise CheckpointError(f"{directory / INDEX} lists shards without digests or the other way round")
    state: dict[str, Tensor] = {}
    for name, digest in sorted(digests.items()):
        path = directory / name
        if Path(name).name != name or not path.is_file():
            raise CheckpointError(f"the checkpoint's weight file {name!r} is missing from {directory}")
        if _digest(path) != digest:
            raise CheckpointError(f"{path} is damaged: its SHA-256 is not the one in {INDEX}; fetch it again")
        try:
            state.update(load_file(path))
        except SafetensorError as error:
            raise CheckpointError(f"{path} is not a safetensors file: {error}") from error
    _check(model, state, directory)
    model.load_state_dict(state, strict=True)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises CheckpointError where there is none."""
    if not path.is_file():
        raise CheckpointError(f"no {path.name} in {path.parent}; a checkpoint directory has {CONFIG} and {INDEX}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} holds no JSON object")
    return data


def write_config(directory: Path, data: dict[str, Any]) -> None:
    """Write `config.json`."""
    write_json(directory / CONFIG, {"model_type": MODEL_TYPE, **data})


def read_config(directory: Path) -> dict[str, Any]:
    """`config.json`, checked to be this project's. Raises CheckpointError otherwise."""
    if not directory.is_dir():
        raise CheckpointError(f"no checkpoint directory at {directory}")
    data = read_json(directory / CONFIG)
    if data.get("model_type") != MODEL_TYPE:
        raise CheckpointError(f"{directory} holds a checkpoint of type {data.get('model_type')!r}, not {MODEL_TYPE!r}")
    return data


def _check(model: nn.Module, state: dict[str, Tensor], directory: Path) -> None:
    wanted = model.state_dict()
    missing, foreign = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    if missing or foreign:
        which = f"missing {missing[:3]}, unknown {foreign[:3]} (of {len(missing)} and {len(foreign)})"
        raise CheckpointError(f"{directory} does not fit its config: {which}")
    for key, tensor in state.items():
        if tensor.shape != wanted[key].shape:
            shapes = f"shape {tuple(tensor.shape)}, the config asks for {tuple(wanted[key].shape)}"
            raise CheckpointError(f"{directory}: {key} has {shapes}")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{directory}: {key} holds values that are not finite")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
