# SPDX-License-Identifier: Apache-2.0
"""Recipe: a vocabulary of codes for pictures, for the encoder `codes` and the head `drawing`.

    embodied train recipe=codes data=data/grounding out=runs/codes
    embodied train recipe=codes data=data/grounding,data/put_in_bowl out=runs/codes

The last twentieth of each folder is held out; what is made of its pictures is printed, and stands in `held_out.json`.
Resumes from `out` where a run was cut short.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from embodied.config import option
from embodied.errors import EmbodiedError, check_name
from embodied.files import replacing, write_json
from embodied.model.checkpoint import save_tensors
from embodied.model.codes import Tokenizer
from embodied.model.encoders.pictures import planes_of
from embodied.train import run
from embodied.train.sources import Source, moment, open_source

ENCODER_FILE, TOKENIZER_FILE, HELD_OUT_FILE = "encoder.safetensors", "tokenizer.safetensors", "held_out.json"
HELD_OUT = 20
"""One of so many pictures is held out: the last of each folder, since episodes show the same for many in a row."""
WEIGHTS = {"picture": 1.0, "commit": 0.25}
"""What each part of the loss weighs: the share of what pixels vary that is not drawn; and as in the paper, how far what
is seen is from its code."""
_DECAY = 0.95
_UNUSED = 0.02
"""A code that so few cells a step have, in the mean, stands for something else from now on."""


@dataclass(kw_only=True)
class CodesConfig:
    """Train a vocabulary of codes for pictures."""

    data: list[str] = option(["data/grounding"], "folders of rendered scenes or recorded episodes, with commas")
    camera: str = option("front", "the camera whose pictures they are")
    out: str = option("runs/codes", "folder of the run")
    size_px: int = option(160, "side of a picture, in whole patches")
    patch_px: int = option(8, "side of a patch, which has a code: 4, 8, 16 or 32")
    width: int = option(16, "width of the networks, a multiple of 4")
    codes: int = option(512, "how many there are")
    dim: int = option(32, "numbers of the vector that a code stands for")
    steps: int = option(2400, "optimiser steps")
    batch: int = option(16, "pictures a step")
    learning_rate: float = option(2e-3, "peak learning rate")
    save_every: int = option(200, "steps between saves")
    seed: int = option(0, "seed of initialisation and order")


class Learner(nn.Module):
    """A tokenizer that learns, and what its codes stood for lately.

    A code's vector is the moving mean of what it was chosen for (van den Oord et al. 2017, appendix A.1), and one that
    nothing is near to any more begins anew at what no code fits (Dhariwal et al. 2020, section 3).
    """

    counts: Tensor  # (K,) cells a step
    sums: Tensor  # (K, D)

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer.requires_grad_(True)
        vectors = tokenizer.encoder.vectors
        self.register_buffer("counts", torch.zeros(len(vectors)))
        self.register_buffer("sums", torch.zeros_like(vectors))

    def losses(self, pictures: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Parts of the loss on (B, S, S, 3) uint8 pictures, and the share of the codes that they have; codes follow."""
        encoder = self.tokenizer.encoder
        seen = encoder.seen(pictures).float()
        codes = encoder.nearest(seen.detach())
        vectors = encoder.vectors[codes]
        drawn = self.tokenizer.planes(seen + (vectors - seen).detach())  # straight through
        wanted = planes_of(pictures, pictures.shape[1], torch.float32)
        parts = {
            "picture": nn.functional.mse_loss(drawn.float(), wanted) / wanted.var().clamp_min(1e-6),
            "commit": nn.functional.mse_loss(seen, vectors),
            "used": torch.tensor(len(torch.unique(codes)) / len(encoder.vectors)),
        }
        self._follow(seen.detach().flatten(0, 1), codes.flatten(), generator)
        return parts

    @torch.no_grad()
    def _follow(self, seen: Tensor, codes: Tensor, generator: torch.Generator) -> None:
        """Move the vectors towards what was `seen` (N, D) in the cells that have their `codes` (N,)."""
        vectors = self.tokenizer.encoder.vectors
        far = (seen - vectors[codes]).square().sum(dim=1)
        self.counts.lerp_(torch.bincount(codes, minlength=len(vectors)).float(), 1.0 - _DECAY)
        self.sums.lerp_(torch.zeros_like(self.sums).index_add_(0, codes, seen), 1.0 - _DECAY)
        unused = (self.counts < _UNUSED).nonzero().flatten()[: len(seen)]
        if len(unused):
            # As seeds are drawn in k-means++; a little apart, since cells of bare table may be equal.
            chosen = torch.multinomial(far + 1e-9, len(unused), generator=generator)
            apart = 0.01 * seen.std() * torch.randn(len(unused), seen.shape[1], generator=generator)
            self.counts[unused] = 2.0 * _UNUSED
            self.sums[unused] = 2.0 * _UNUSED * (seen[chosen] + apart)
        vectors.copy_(self.sums / self.counts.clamp_min(_UNUSED).unsqueeze(1))


Moment = tuple[Source, int]
"""A picture, by where it comes from and its number there."""


def train(config: CodesConfig) -> Path:
    """Train and write the tokenizer's weights, and its encoder's beside them; returns the path of the first."""
    torch.manual_seed(config.seed)
    out = Path(config.out)
    run.record(out, config)
    tokenizer = _tokenizer(config)
    model = Learner(tokenizer)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learnt, held_out = divided([open_source(folder) for folder in config.data])
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.01)
    first = run.load_progress(out, model, optimizer)

    def pictures(moments: Iterable[Moment]) -> Tensor:
        return torch.stack([_picture(tokenizer, source, number, config.camera) for source, number in moments])

    def losses(step: int) -> dict[str, Tensor]:
        batch = np.random.default_rng([config.seed, step]).integers(0, len(learnt), config.batch)
        generator = torch.Generator().manual_seed(config.seed + step)
        return model.losses(pictures([learnt[i] for i in batch]), generator)

    for step, parts in run.optimise(model, optimizer, losses, WEIGHTS, range(first, config.steps), warm_up=50):
        if step % 50 == 0 or step == config.steps - 1:
            run.log(out, step, parts)
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            run.save_progress(out, model, optimizer)
    found = told(tokenizer, (pictures([each]) for each in held_out))
    print(", ".join(f"{name} {value:g}" for name, value in found.items()))
    write_json(out / HELD_OUT_FILE, found)
    for name, module in {ENCODER_FILE: tokenizer.encoder, TOKENIZER_FILE: tokenizer}.items():
        with replacing(out / name) as part:
            save_tensors({key: value.contiguous() for key, value in module.state_dict().items()}, part, {})
    return out / TOKENIZER_FILE


def divided(sources: Sequence[Source]) -> tuple[list[Moment], list[Moment]]:
    """What is learnt from, and what is held out. Raises EmbodiedError where there is nothing to do that with."""
    learnt, held_out = list[Moment](), list[Moment]()
    for source in sources:
        first = len(source) - -(-len(source) // HELD_OUT)
        learnt += [(source, number) for number in range(first)]
        held_out += [(source, number) for number in range(first, len(source))]
    if not learnt:
        raise EmbodiedError("data= has too few pictures: one is held out, and none is left to learn from")
    return learnt, held_out


@torch.no_grad()
def told(tokenizer: Tokenizer, pictures: Iterable[Tensor]) -> dict[str, float]:
    """How well pictures (B, S, S, 3) uint8 are drawn again, of 255 levels a pixel has; the share of the codes that they
    have, and of the cells whose code is read again in what was drawn of it."""
    count, error, square, kept, used = 0, 0.0, 0.0, 0.0, set[int]()
    for batch in pictures:
        codes = tokenizer.codes(batch)
        drawn = tokenizer.drawn(codes)
        off = drawn.float() - batch.float()
        count += len(batch)
        error += float(off.abs().mean()) * len(batch)
        square += float(off.square().mean()) * len(batch)
        kept += float((tokenizer.codes(drawn) == codes).float().mean()) * len(batch)
        used |= set(codes.flatten().tolist())
    shares = {"codes_used": len(used) / len(tokenizer.encoder.vectors), "codes_kept": kept / count}
    psnr_db = 10.0 * math.log10(255.0**2 / max(square / count, 1e-9))
    return {"pictures": count, "error_levels": error / count, "psnr_db": psnr_db} | shares


def _tokenizer(config: CodesConfig) -> Tokenizer:
    names = ("size_px", "patch_px", "width", "codes", "dim")
    try:
        return Tokenizer(**{name: getattr(config, name) for name in names})
    except ValueError as error:
        raise EmbodiedError(f"no tokenizer of these sizes: {error}") from None


def _picture(tokenizer: Tokenizer, source: Source, number: int, camera: str) -> Tensor:
    """(S, S, 3) uint8. Raises UnknownNameError for a camera that saw nothing."""
    readings = moment(source, number).observations[-1].readings
    check_name("camera", camera, readings)
    return tokenizer.encoder.prepare([readings[camera]])
