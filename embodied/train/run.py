# SPDX-License-Identifier: Apache-2.0
"""What every recipe needs: a run folder that knows what it belongs to and can be resumed, and its log."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from embodied.data.identity import Identity, differences, digest_of, hash_of
from embodied.errors import EmbodiedError
from embodied.files import check_folder, replacing, write_json, writing
from embodied.model.checkpoint import save_tensors
from embodied.model.precision import fastest_dtype
from embodied.processes import progress_bar
from embodied.versions import machine, versions

RECORD, PROGRESS = "run.json", "progress.safetensors"
_COUNTS = ("batch", "commands", "save_every", "learning_rate", "new_learning_rate")
"""Options that must be above 0, in the recipes that have them."""
_FREE = ("steps", "save_every", "out", "test")
"""Options that may change from one start of a run to the next."""


def record(folder: Path, config: Any, given: Identity | None = None) -> None:
    """Write `run.json`: the resolved options, what the run belongs to, versions (the commit too) and machine.

    `given` is what it belongs to besides its options.

    Raises EmbodiedError where an option makes no sense, and where the folder holds the work of another run or cannot be
    written to.
    """
    check_options(config)
    check_folder(folder)
    identity = identity_of(config) | dict(given or {})
    if others := [path.name for path in folder.glob("*") if path.name != RECORD]:
        _check_same(folder, identity, _recorded(folder), others)
    data = {"config": dataclasses.asdict(config), "identity": identity, "versions": versions(), "machine": machine()}
    write_json(folder / RECORD, data)


def check_options(config: Any) -> None:
    """Raises EmbodiedError for numbers that no run can have, and for no data."""
    for name in _COUNTS:
        if not 0 < getattr(config, name, 1) < math.inf:
            raise EmbodiedError(f"{name}={getattr(config, name)}: it must be above 0")
    if getattr(config, "steps", 0) < 0:
        raise EmbodiedError(f"steps={config.steps}: it must be 0 or more")
    if getattr(config, "data", None) == []:
        raise EmbodiedError("data= needs at least one folder")


def identity_of(config: Any) -> dict[str, Any]:
    """What decides how a run goes: its options, with the digest of what is in a file or a folder of data."""
    options = {name: value for name, value in dataclasses.asdict(config).items() if name not in _FREE}
    return {name: _told(value) for name, value in options.items()}


def _told(value: Any) -> Any:
    if isinstance(value, list):
        return [_told(each) for each in value]
    known = isinstance(value, str) and value and Path(value).exists()
    return f"sha256:{digest_of(Path(value))[:16]}" if known else value


def _recorded(folder: Path) -> Identity:
    """What a run folder belongs to; nothing where it does not say."""
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8")).get("identity")
    except (OSError, ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _check_same(folder: Path, here: Identity, there: Identity, has: list[str]) -> None:
    if other := differences(here, there, "in the run"):
        what = f"{folder} holds another run ({', '.join(sorted(has)[:3])})"
        raise EmbodiedError(f"{what}: {'; '.join(other)}; take another out=, or what the run was made with")


def optimise(
    model: nn.Module,
    optimizer: torch.optim.AdamW,
    losses: Callable[[int], Mapping[str, Tensor]],
    weights: Mapping[str, float],
    steps: range,
    warm_up: int,
) -> Iterator[tuple[int, Mapping[str, Tensor]]]:
    """Take `steps`; gives each when it is done, with what `losses` said.

    What is minimised is the sum of the parts that `weights` names; the others are for the log. Raises
    EmbodiedError where the data give nothing to minimise.
    """
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: cosine(steps.start + step, steps.stop, warm_up=warm_up)
    )
    with progress_bar("steps", steps.stop, completed=steps.start) as advance:
        for step in steps:
            with products():
                parts = losses(step)
            known = [weight * parts[name] for name, weight in weights.items() if name in parts]
            if not known:
                raise EmbodiedError(f"the data show nothing that the model learns; it learns {', '.join(weights)}")
            loss = torch.stack(known).sum()
            if not torch.isfinite(loss):
                bad = [name for name, part in parts.items() if not bool(torch.isfinite(part).all())]
                what = f"the loss is not finite at step {step}: {', '.join(bad)}"
                raise EmbodiedError(f"{what}; what was saved before stays; lower the learning rates, or check the data")
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            advance(1)
            yield step, parts


def products() -> torch.autocast:
    """Matrix products in the type that this machine multiplies fastest: in bfloat16 that is emulated, one takes
    hundreds of times as long as in float32."""
    dtype = fastest_dtype(torch.device("cpu"))
    return torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)


def cosine(step: int, steps: int, *, warm_up: int) -> float:
    """Linear warm-up, then cosine to a hundredth."""
    if step < warm_up:
        return (step + 1) / warm_up
    progress = min((step - warm_up) / max(steps - warm_up, 1), 1.0)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def save_progress(folder: Path, model: nn.Module, optimizer: torch.optim.AdamW) -> None:
    """Write trainable weights, moments and buffers so that the run can go on; replaces the file at once.

    Buffers are what a part learned of the data before the first step, such as what actions are normalised by.
    What has had no gradient yet, such as a sensor that the data does not show, has no moments.
    """
    state: dict[str, Tensor] = {}
    for name, parameter in _trainable(model):
        state[f"model.{name}"] = parameter.detach().contiguous()
        moments = optimizer.state.get(parameter, {})
        state |= {f"{key}.{name}": value.contiguous() for key, value in moments.items()}
    state |= {f"buffer.{name}": value.clone() for name, value in _buffers(model)}
    _save(folder / PROGRESS, state, _recorded(folder))


def load_progress(folder: Path, model: nn.Module, optimizer: torch.optim.AdamW) -> int:
    """Go on from `save_progress`; returns the step, 0 where nothing was saved.

    Raises EmbodiedError where what was saved is of another run than the one in `run.json`, or damaged.
    """
    path = folder / PROGRESS
    if not path.is_file():
        return 0
    _check_same(folder, _recorded(folder), _identity_in(path), [PROGRESS])
    state, step = load_file(path), 0
    for name, parameter in _trainable(model):
        _copy(parameter, state, f"model.{name}", path)
        if f"step.{name}" in state:
            optimizer.state[parameter] = {key: state[f"{key}.{name}"] for key in _MOMENTS}
            step = max(step, int(state[f"step.{name}"]))
    for name, buffer in _buffers(model):
        _copy(buffer, state, f"buffer.{name}", path)
    return step


def _copy(into: Tensor, state: Mapping[str, Tensor], name: str, path: Path) -> None:
    """Raises EmbodiedError where `state` has no such tensor of that shape."""
    saved = state.get(name)
    if saved is None or saved.shape != into.shape:
        raise EmbodiedError(f"{path} does not fit this version of the model at {name}: take another out=")
    with torch.no_grad():
        into.copy_(saved)


def cached(path: Path, identity: Identity, make: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    """What `make` gives, kept in `path` with the `identity` of what it was made of; made again where that differs."""
    if path.is_file():
        try:
            other = differences(identity, _identity_in(path), "in the file")
        except EmbodiedError as error:
            other = [str(error)]
        if not other:
            return load_file(path)
        print(f"{path} is made again: {'; '.join(other)}")
    kept = make()
    _save(path, {name: value.contiguous() for name, value in kept.items()}, identity)
    return kept


def weights_digest(module: nn.Module) -> str:
    """SHA-256 of a module's weights, for the identity of what they give."""
    state = sorted(module.state_dict().items())
    return hash_of(part for name, value in state for part in (name.encode(), _bytes_of(value)))


def _bytes_of(value: Tensor) -> bytes:
    return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _save(path: Path, state: dict[str, Tensor], identity: Identity) -> None:
    with replacing(path) as part:
        save_tensors(state, part, {"identity": json.dumps(dict(identity))})


def _identity_in(path: Path) -> Identity:
    """What the tensors in `path` belong to. Raises EmbodiedError where the file is damaged."""
    try:
        with safe_open(path, "pt") as file:  # type: ignore[no-untyped-call]
            identity: Identity = json.loads((file.metadata() or {}).get("identity", "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise EmbodiedError(f"{path} is damaged: {error}; remove it to begin anew") from None
    return identity


def log(folder: Path, step: int, parts: Mapping[str, Tensor]) -> None:
    """Append one row to `log.jsonl`, and to TensorBoard's files where that is installed."""
    row = {name: round(part.item(), 5) for name, part in parts.items()}
    with writing(folder / "log.jsonl"), (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps({"step": step, **row}) + "\n")
    if (board := _board(folder)) is not None:
        for name, value in row.items():
            board.add_scalar(name, value, step)
        board.flush()


@lru_cache
def _board(folder: Path) -> Any:
    """TensorBoard's writer of a run; None where it is not installed."""
    kind = _board_kind()
    return kind(str(folder / "tensorboard")) if kind is not None else None


@lru_cache
def _board_kind() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        print("no TensorBoard: the losses are in log.jsonl alone (pip install tensorboard)")
        return None
    return SummaryWriter


def _buffers(model: nn.Module) -> list[tuple[str, Tensor]]:
    """Those that are part of a model's state; others come from where it was read from."""
    kept = model.state_dict().keys()
    return [(name, buffer) for name, buffer in model.named_buffers() if name in kept]


def _trainable(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
