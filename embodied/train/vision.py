# SPDX-License-Identifier: Apache-2.0
"""Recipe 1: pretrain the picture encoder on dense detection of colour, kind and place.

embodied train recipe=vision data=data/grounding out=runs/vision
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from embodied.config import option
from embodied.files import replacing
from embodied.model.encoders import ConvEncoder
from embodied.progress import progress_bar
from embodied.train import run
from embodied.train.grounding_data import GroundingData

ENCODER_FILE = "encoder.safetensors"


@dataclass(kw_only=True)
class VisionConfig:
    """Pretrain the picture encoder."""

    data: str = option("data/grounding", "folder of rendered scenes")
    out: str = option("runs/vision", "folder of the run")
    steps: int = option(1200, "optimiser steps")
    batch: int = option(32, "pictures a step")
    learning_rate: float = option(2e-3, "peak learning rate")
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
    rng = np.random.default_rng(config.seed)
    out = Path(config.out)
    run.record(out, config)
    data = GroundingData(config.data)
    encoder = ConvEncoder(size_px=data.pictures.shape[1])
    model = Detector(encoder, len(data.colours), len(data.kinds))
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    labels = [data.labels(i, *encoder.grid) for i in range(len(data))]  # type: ignore[misc]
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: cosine(step, config.steps, warm_up=50)
    )
    with progress_bar("steps", config.steps) as advance:
        for step in range(config.steps):
            batch = rng.integers(0, len(data), config.batch)
            pictures = jitter(data.picture(batch), rng)
            with torch.autocast("cpu", torch.bfloat16):
                prediction = model(pictures)
            parts = _losses(prediction, [labels[i] for i in batch])
            loss = sum(parts.values(), torch.zeros(()))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if step % 50 == 0 or step == config.steps - 1:
                run.log(out, {"step": step, **{k: v.item() for k, v in parts.items()}})
            advance(1)
    with replacing(out / ENCODER_FILE) as part:
        save_file({k: v.contiguous() for k, v in encoder.state_dict().items()}, part)
    return out / ENCODER_FILE


def jitter(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness and add noise, so that the encoder does not live on exact values."""
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (len(pictures), 1, 1, 3))).float()
    noise = torch.randn(pictures.shape) * 4.0
    return (pictures.float() * gain + noise).clamp(0, 255)


def cosine(step: int, steps: int, *, warm_up: int) -> float:
    """Linear warm-up, then cosine to a hundredth."""
    if step < warm_up:
        return (step + 1) / warm_up
    progress = min((step - warm_up) / max(steps - warm_up, 1), 1.0)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


def _losses(prediction: tuple[Tensor, Tensor, Tensor], labels: list) -> dict[str, Tensor]:  # type: ignore[type-arg]
    colour_logits, kind_logits, offsets = prediction
    colour = torch.stack([x.colour for x in labels])
    kind = torch.stack([x.kind for x in labels])
    weight = torch.stack([x.weight for x in labels])
    offset = torch.stack([x.offset for x in labels])
    named = weight > 0
    cell_weight = torch.where(named, weight.clamp_min(0.2), torch.full_like(weight, 0.15))

    def naming(logits: Tensor, target: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
        return (loss * cell_weight.flatten()).sum() / cell_weight.sum()

    place = nn.functional.smooth_l1_loss(offsets[named], offset[named], beta=0.05)
    return {"colour": naming(colour_logits, colour), "kind": naming(kind_logits, kind), "place": 2.0 * place}
