# SPDX-License-Identifier: Apache-2.0
"""What every recipe needs: a run folder that can be resumed, and a record of how it was made."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from embodied.errors import EmbodiedError
from embodied.files import replacing, write_json
from embodied.processes import progress_bar
from embodied.versions import machine, versions


def record(folder: Path, config: Any) -> None:
    """Write `run.json`: the resolved options, versions (the commit among them) and machine."""
    data = {"config": dataclasses.asdict(config), "versions": versions(), "machine": machine()}
    write_json(folder / "run.json", data)


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
            with torch.autocast("cpu", torch.bfloat16):
                parts = losses(step)
            known = [weight * parts[name] for name, weight in weights.items() if name in parts]
            if not known:
                raise EmbodiedError(f"the data show nothing that the model learns; it learns {', '.join(weights)}")
            loss = torch.stack(known).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            advance(1)
            yield step, parts


def cosine(step: int, steps: int, *, warm_up: int) -> float:
    """Linear warm-up, then cosine to a hundredth."""
    if step < warm_up:
        return (step + 1) / warm_up
    progress = min((step - warm_up) / max(steps - warm_up, 1), 1.0)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def save_progress(folder: Path, model: nn.Module, optimizer: torch.optim.AdamW) -> None:
    """Write trainable weights and moments so that the run can go on; replaces the file at once.

    What has had no gradient yet, such as a sensor that the data does not show, has no moments.
    """
    state: dict[str, Tensor] = {}
    for name, parameter in _trainable(model):
        state[f"model.{name}"] = parameter.detach().contiguous()
        moments = optimizer.state.get(parameter, {})
        state |= {f"{key}.{name}": value.contiguous() for key, value in moments.items()}
    with replacing(folder / "progress.safetensors") as part:
        save_file(state, part)


def load_progress(folder: Path, model: nn.Module, optimizer: torch.optim.AdamW) -> int:
    """Go on from `save_progress`; returns the step, 0 where nothing was saved."""
    path = folder / "progress.safetensors"
    if not path.is_file():
        return 0
    state, step = load_file(path), 0
    for name, parameter in _trainable(model):
        with torch.no_grad():
            parameter.copy_(state[f"model.{name}"])
        if f"step.{name}" in state:
            optimizer.state[parameter] = {key: state[f"{key}.{name}"] for key in _MOMENTS}
            step = max(step, int(state[f"step.{name}"]))
    return step


def log(folder: Path, step: int, parts: Mapping[str, Tensor]) -> None:
    """Append one row to `log.jsonl`."""
    row = {"step": step} | {name: round(part.item(), 5) for name, part in parts.items()}
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def _trainable(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
