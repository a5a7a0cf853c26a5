# SPDX-License-Identifier: Apache-2.0
"""Recipe 1: pretrain the picture encoder on dense detection of colour, kind and place.

embodied train recipe=vision data=data/grounding out=runs/vision

Resumes from `out` where a run was cut short.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from embodied.config import option
from embodied.files import replacing
from embodied.model.checkpoint import save_tensors
from embodied.model.encoders.conv import ConvEncoder
from embodied.model.heads.grid import Labels, labels, naming_losses
from embodied.train import run
from embodied.train.grounding_data import GroundingData

ENCODER_FILE = "encoder.safetensors"
LOSS_WEIGHTS = {"colour": 1.0, "kind": 1.0, "place": 2.0}


@dataclass(kw_only=True)
class VisionConfig:
    """Pretrain the picture encoder."""

    data: str = option("data/grounding", "folder of rendered scenes")
    out: str = option("runs/vision", "folder of the run")
    steps: int = option(2400, "optimiser steps")
    batch: int = option(32, "pictures a step")
    learning_rate: float = option(2e-3, "peak learning rate")
    save_every: int = option(200, "steps between saves")
    seed: int = option(0, "seed of initialisation and order")


class Detector(nn.Module):
    """The encoder with a linear reading of each cell."""

    def __init__(self, encoder: ConvEncoder, colours: int, kinds: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.sizes = [colours + 1, kinds + 1, 2]  # one more for "nothing"
        self.head = nn.Linear(encoder.feature_dim, sum(self.sizes))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, S, S, 3) to colour logits, kind logits and offsets, each (B, T, ...)."""
        out = self.head(self.encoder(pictures)).float()
        colour, kind, offset = out.split(self.sizes, dim=-1)
        return colour, kind, offset


def train(config: VisionConfig) -> Path:
    """Train and write the encoder's weights; returns their path."""
    torch.manual_seed(config.seed)
    out, data = Path(config.out), GroundingData(config.data)
    run.record(out, config)
    encoder = ConvEncoder(size_px=data.pictures.shape[1])
    model = Detector(encoder, len(data.colours), len(data.kinds))
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert encoder.grid is not None
    known = [labels(data.things(i), encoder.grid, data.colours, data.kinds) for i in range(len(data))]
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.01)
    first = run.load_progress(out, model, optimizer)

    def losses(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([config.seed, step])
        batch = rng.integers(0, len(data), config.batch)
        return _losses(model(jitter(data.picture(batch), rng)), [known[i] for i in batch])

    for step, parts in run.optimise(model, optimizer, losses, LOSS_WEIGHTS, range(first, config.steps), warm_up=50):
        if step % 50 == 0 or step == config.steps - 1:
            run.log(out, step, parts)
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            run.save_progress(out, model, optimizer)
    with replacing(out / ENCODER_FILE) as part:
        save_tensors({name: value.contiguous() for name, value in encoder.state_dict().items()}, part, {})
    return out / ENCODER_FILE


def jitter(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness and add noise, so that the encoder does not live on exact values."""
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (len(pictures), 1, 1, 3))).float()
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**31)))) * 4.0
    return (pictures.float() * gain + noise).clamp(0, 255)


def _losses(prediction: tuple[Tensor, Tensor, Tensor], labels: Sequence[Labels]) -> dict[str, Tensor]:
    colour_logits, kind_logits, offsets = prediction
    wanted = Labels(*map(torch.stack, zip(*labels, strict=True)))
    colour, kind = naming_losses(colour_logits, kind_logits, wanted, empty=0.15)
    named = wanted.weight > 0
    place = nn.functional.smooth_l1_loss(offsets[named], wanted.offset[named], beta=0.05)
    return {"colour": colour, "kind": kind, "place": place}
