# SPDX-License-Identifier: Apache-2.0
"""What every recipe needs: a run folder that can be resumed, and a record of how it was made."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from embodied.files import replacing, write_json
from embodied.versions import machine, versions


def record(folder: Path, config: Any) -> None:
    """Write `run.json`: the resolved options, versions (the commit among them) and machine."""
    data = {"config": dataclasses.asdict(config), "versions": versions(), "machine": machine()}
    write_json(folder / "run.json", data)


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
    state = load_file(path)
    step = 0
    for name, parameter in _trainable(model):
        with torch.no_grad():
            parameter.copy_(state[f"model.{name}"])
        if f"step.{name}" in state:
            optimizer.state[parameter] = {key: state[f"{key}.{name}"] for key in _MOMENTS}
            step = max(step, int(state[f"step.{name}"]))
    return step


def log(folder: Path, row: Mapping[str, float]) -> None:
    """Append one row to `log.jsonl`."""
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps({k: round(v, 5) for k, v in row.items()}) + "\n")


def _trainable(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
