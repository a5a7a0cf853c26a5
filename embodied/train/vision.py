# SPDX-License-Identifier: Apache-2.0
"""Recipe 1: pretrain the picture encoder on finding things: colour, kind, place, and what is in or on what.

    embodied train recipe=vision data=data/grounding out=runs/vision
    embodied train recipe=vision data=data/more init=runs/vision out=runs/vision_more

With `init` it goes on from the weights of an earlier run. Resumes from `out` where a run was cut short.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from embodied.config import option
from embodied.errors import EmbodiedError
from embodied.files import replacing
from embodied.model.checkpoint import save_tensors, take_weights
from embodied.model.encoders.conv import ConvEncoder
from embodied.model.entities import WEIGHTS, Entities, Wanted
from embodied.train import run
from embodied.train.grounding_data import GroundingData
from embodied.train.sources import words_of

ENCODER_FILE, ENTITIES_FILE = "encoder.safetensors", "entities.safetensors"


@dataclass(kw_only=True)
class VisionConfig:
    """Pretrain the picture encoder, and what finds things in what it says."""

    data: list[str] = option(["data/grounding"], "folders of rendered scenes, with commas")
    init: str = option("", "folder of an earlier run, to go on from its weights")
    out: str = option("runs/vision", "folder of the run")
    steps: int = option(2400, "optimiser steps")
    batch: int = option(32, "pictures a step")
    learning_rate: float = option(2e-3, "peak learning rate")
    save_every: int = option(200, "steps between saves")
    seed: int = option(0, "seed of initialisation and order")


class Detector(nn.Module):
    """The encoder, and what reads it."""

    def __init__(self, encoder: ConvEncoder, colours: Sequence[str], kinds: Sequence[str]) -> None:
        super().__init__()
        assert encoder.grid is not None
        self.encoder, self.entities = encoder, Entities(encoder.grid, encoder.feature_dim, colours, kinds)

    def losses(self, pictures: Tensor, wanted: Sequence[Wanted]) -> dict[str, Tensor]:
        """Parts of the loss on (B, S, S, 3) pictures."""
        return self.entities.losses(self.encoder(pictures), wanted)


def train(config: VisionConfig) -> Path:
    """Train and write the encoder's weights; returns their path."""
    torch.manual_seed(config.seed)
    out, sources = Path(config.out), [GroundingData(each) for each in config.data]
    sides = {source.pictures.shape[1] for source in sources}
    if len(sides) > 1:
        raise EmbodiedError(f"pictures of {sorted(sides)} px: data= must have pictures of one size")
    words = words_of(dict(zip(config.data, sources, strict=True)))
    run.record(out, config)
    model = Detector(ConvEncoder(size_px=sides.pop()), words["colours"], words["kinds"])
    modules = {ENCODER_FILE: model.encoder, ENTITIES_FILE: model.entities}
    if config.init:
        for name, module in modules.items():
            take_weights(module, Path(config.init) / name, name.removesuffix(".safetensors"))
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    places = [(source, number) for source in sources for number in range(len(source))]
    things = [source.things(number) for source, number in places]
    model.entities.fit(thing for each in things for thing in each)
    wanted = [model.entities.wanted(each) for each in things]
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.01)
    first = run.load_progress(out, model, optimizer)

    def losses(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([config.seed, step])
        batch = rng.integers(0, len(places), config.batch)
        pictures = np.stack([source.pictures[number] for source, number in (places[i] for i in batch)])
        return model.losses(jitter(torch.from_numpy(pictures), rng), [wanted[i] for i in batch])

    for step, parts in run.optimise(model, optimizer, losses, WEIGHTS, range(first, config.steps), warm_up=50):
        if step % 50 == 0 or step == config.steps - 1:
            run.log(out, step, parts)
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            run.save_progress(out, model, optimizer)
    for name, module in modules.items():
        with replacing(out / name) as part:
            state = {key: value.contiguous() for key, value in module.state_dict().items()}
            save_tensors(state, part, getattr(module, "told", {}))
    return out / ENCODER_FILE


def jitter(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness and add noise, so that the encoder does not live on exact values."""
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (len(pictures), 1, 1, 3))).float()
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(int(rng.integers(2**31)))) * 4.0
    return (pictures.float() * gain + noise).clamp(0, 255)
