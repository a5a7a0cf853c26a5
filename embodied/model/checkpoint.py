# SPDX-License-Identifier: Apache-2.0
"""Checkpoint files: safetensors shards and what goes with them, read back strictly or refused.

Nothing is unpickled and no code is loaded. A file that is missing, cut short, altered or foreign is
refused with the reason before any weight reaches a model.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from embodied.errors import CheckpointError, EmbodiedError, shown
from embodied.files import parse_json, read_text, replacing, write_text, writing
from embodied.model.sums import TOKENIZER, tokenizer_files, verify
from embodied.sums import PENDING, SUMS, digest_of, text_of

INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
MODEL_TYPE = "embodied-palme"
MAX_SHARD_BYTES = 60_000_000
_MOST_JSON_BYTES = 2**24


def save(
    directory: Path, config: Mapping[str, Any], state: Mapping[str, Tensor], tokenizer: Callable[[Path], None]
) -> None:
    """Write a checkpoint: `config`, `state` with floats as bfloat16, what `tokenizer` writes to a folder, and the sums.

    What is there stays whole until all of the new is on the disk: shards have names of their own, the rest is put in
    place at once. However the process ends, what is in `directory` can be loaded; where another model was there and
    the machine dies in that instant, it is refused. Raises EmbodiedError where the disk does not take it.
    """
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".part-") as name:
            part = Path(name)
            weight_map = _save_shards(state, directory, part / "shard")
            shards = set(weight_map.values())
            size = sum((directory / shard).stat().st_size for shard in shards)
            index = {"metadata": {"total_size": size}, "weight_map": weight_map}
            (part / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
            (part / CONFIG).write_text(config_text(config), encoding="utf-8")
            tokenizer(part / TOKENIZER)
            new = {name: part / name for name in (INDEX, CONFIG)} | tokenizer_files(part)
            with replacing(directory / SUMS) as pending:
                files = new | {shard: directory / shard for shard in shards}
                pending.write_text(_sums_of(files), encoding="ascii")
                (directory / TOKENIZER).mkdir(exist_ok=True)
                for old in tokenizer_files(directory).keys() - new.keys():
                    (directory / old).unlink()
                for each, path in new.items():
                    path.replace(directory / each)
        for old_shard in directory.glob("*.safetensors"):
            if old_shard.name not in shards:
                old_shard.unlink()


def _save_shards(state: Mapping[str, Tensor], directory: Path, part: Path) -> dict[str, str]:
    """Write shards of at most MAX_SHARD_BYTES, whose names hold their digests; returns the shard of each weight."""
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
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        save_tensors(shard, part, metadata={"format": "pt"})
        part.chmod(0o644)  # safetensors writes for the owner alone; a package is for all
        name = f"model-{number:05d}-of-{len(shards):05d}-{digest_of(part)[:8]}.safetensors"
        part.replace(directory / name)
        weight_map.update(dict.fromkeys(shard, name))
    return weight_map


def save_tensors(state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write a safetensors file. Raises OSError where the disk does not take it."""
    try:
        save_file(dict(state), path, metadata=dict(metadata))
    except SafetensorError as error:
        raise OSError(None, str(error)) from None


def write_sums(directory: Path) -> None:
    """Write SHA256SUMS of the files that are there. Raises CheckpointError where one is missing."""
    shards = set(weight_map_of(directory).values())
    files = {name: directory / name for name in (CONFIG, INDEX, *shards)} | tokenizer_files(directory)
    if missing := [name for name, path in files.items() if not path.is_file()]:
        raise CheckpointError(f"the checkpoint's file {missing[0]!r} is missing from {directory}")
    write_text(directory / SUMS, _sums_of(files))


def _sums_of(files: Mapping[str, Path]) -> str:
    return text_of({name: digest_of(path) for name, path in files.items()})


def check_whole(directory: Path) -> None:
    """Raises CheckpointError unless there is a checkpoint in `directory`, all of it as it was written."""
    if not any((directory / name).exists() for name in (SUMS, PENDING)):
        read_config(directory)  # what is no checkpoint at all is told first
    verify(directory, (CONFIG, INDEX, *weight_map_of(directory).values()))


def weight_map_of(directory: Path) -> dict[str, str]:
    """The file of each weight, as the index tells it. Raises CheckpointError."""
    path = directory / INDEX
    weight_map = read_json(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{path} is damaged: it has no weight_map")
    for name in weight_map.values():
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise CheckpointError(f"{path} is damaged: {shown(name)} is not the name of a weight file")
    return weight_map


def shapes_in(directory: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every weight, from the headers of the files. Raises CheckpointError."""
    weight_map, shapes = weight_map_of(directory), dict[str, tuple[int, ...]]()
    for name in sorted(set(weight_map.values())):
        with _refusing(directory / name), safe_open(directory / name, "pt") as file:
            shapes |= {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118, it is no dictionary
    if shapes.keys() != weight_map.keys():
        raise CheckpointError(f"{directory / INDEX} tells of other weights than its files hold")
    return shapes


def load_weights(model: nn.Module, directory: Path) -> None:
    """Read every shard into `model`, strictly. Raises CheckpointError with the reason otherwise."""
    state: dict[str, Tensor] = {}
    for name in sorted(set(weight_map_of(directory).values())):
        with _refusing(directory / name):
            state.update(load_file(directory / name))
    _check(model, state, directory)
    model.load_state_dict(state, strict=True)


def take_weights(module: nn.Module, path: str | Path, what: str, recipe: str = "vision") -> None:
    """Read the weights of one part, called `what`, from a safetensors file. Raises CheckpointError, with the `recipe`
    that makes them where there are none, and where the file says of itself other than the part's `told`."""
    if not Path(path).is_file():
        raise CheckpointError(f"no weights of {what} at {path}; make them with: embodied train recipe={recipe}")
    try:
        with safe_open(path, "pt") as file:
            says = file.metadata() or {}
        for key, word in getattr(module, "told", {}).items():
            if says.get(key, word) != word:
                which = f"{key} {says[key]!r}, and this model {word!r}"
                raise CheckpointError(
                    f"{path} was trained for {which}: name the data in the same order, or train it anew"
                )
        module.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} holds no weights of {what}: {reason}") from None


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a safetensors file: {shown(str(error))}") from None


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises CheckpointError where there is none."""
    if not path.is_file():
        raise CheckpointError(f"no {path.name} in {path.parent}; a checkpoint directory has {CONFIG} and {INDEX}")
    try:
        data = parse_json(read_text(path, "JSON", most_bytes=_MOST_JSON_BYTES))
    except (EmbodiedError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} holds no JSON object")
    return data


def config_text(config: Mapping[str, Any]) -> str:
    """The text of `config.json`."""
    return json.dumps({"model_type": MODEL_TYPE, **config}, indent=2, allow_nan=False) + "\n"


def read_config(directory: Path) -> dict[str, Any]:
    """`config.json`, checked to be this project's. Raises CheckpointError otherwise."""
    if not directory.is_dir():
        raise CheckpointError(f"no checkpoint directory at {directory}")
    data = read_json(directory / CONFIG)
    if data.get("model_type") != MODEL_TYPE:
        found = shown(data.get("model_type"))
        raise CheckpointError(f"{directory} holds a checkpoint of type {found}, not {MODEL_TYPE!r}")
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
        if tensor.dtype != wanted[key].dtype and not (
            tensor.dtype.is_floating_point and wanted[key].dtype.is_floating_point
        ):
            raise CheckpointError(f"{directory}: {key} is of {tensor.dtype}, the config asks for {wanted[key].dtype}")
        # The least and the largest are NaN where anything is: thirty times as fast as to ask each number.
        if tensor.is_floating_point() and tensor.numel() and not torch.stack(tensor.aminmax()).isfinite().all():
            raise CheckpointError(f"{directory}: {key} holds values that are not finite")
