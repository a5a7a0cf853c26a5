# SPDX-License-Identifier: Apache-2.0
"""Pretrain the picture encoder on which caption belongs to which picture, and measure what that is good for (CLIP,
Radford et al. 2021).

    embodied train recipe=clip data=data/grounding test=data/held_out out=runs/clip
    embodied train recipe=clip data=data/grounding init=runs/vision test=data/held_out out=runs/clip

A picture is a window of a rendered scene, from about one thing to the whole of it, as CLIP takes random crops; its
caption says what lies within. Ends with `scores.json` of scenes in `test`, which are never trained on. Resumes from
`out` where a run was cut short.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from embodied.config import option
from embodied.errors import EmbodiedError
from embodied.files import replacing, write_json
from embodied.model.checkpoint import save_tensors, take_weights
from embodied.model.encoders import ENCODERS, Encoder
from embodied.model.towers import Towers
from embodied.train import run
from embodied.train.captions import Words, altered, caption, crop, mirrored, some_window, within
from embodied.train.grounding_data import GroundingData
from embodied.train.retrieval import check_measurable, print_scores, scores
from embodied.train.sources import words_of
from embodied.train.vision import ENCODER_FILE, jitter
from embodied.types import Picture

SCORES_FILE = "scores.json"
WEIGHTS = {"contrast": 1.0, "matching": 0.5}
"""What each part of the loss weighs."""
WRONG = 2
"""Captions for each picture that are wrong in a word: colours alone tell most scenes apart, and kinds stay unread."""
_BY_KIND = 0.5
"""Of the windows that are opened on a thing of a kind that is drawn first: most kinds are seldom seen."""
_MIRRORED = 0.5
"""Of the windows: left is right, in the picture and in what is said of it. A scene is two that way."""


@dataclass(kw_only=True)
class ClipConfig:
    """Pretrain the picture encoder on captions, and measure it on scenes that it was not trained on."""

    data: list[str] = option(["data/grounding"], "folders of rendered scenes")
    test: str = option("data/held_out", "folder of rendered scenes with other seeds, to measure on")
    encoder: str = option("conv", "encoder of pictures, by name")
    init: str = option("", "folder of an earlier run, this recipe's or vision's, to go on from its encoder's weights")
    out: str = option("runs/clip", "folder of the run")
    steps: int = option(750, "optimiser steps")
    batch: int = option(32, "windows a step")
    learning_rate: float = option(1e-3, "peak learning rate")
    save_every: int = option(50, "steps between saves")
    seed: int = option(0, "seed of initialisation and order")


class Pairs:
    """Windows of scenes and what lies within, at random."""

    def __init__(self, sources: Sequence[GroundingData]) -> None:
        self._sources = sources
        self._opened = [
            (source, index, thing)
            for source, scenes in enumerate(sources)
            for index in range(len(scenes))
            for thing in scenes.things(index)
        ]
        if not self._opened:
            raise EmbodiedError("data= show no thing that a caption could name; collect scenes with things in them")
        found = [thing.kind for *_, thing in self._opened]
        _, kind, count = np.unique(found, return_inverse=True, return_counts=True)
        self._share = (1 - _BY_KIND) / len(kind) + _BY_KIND / (len(count) * count[kind])

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, list[str], Tensor]:
        """(B, S, S, 3) pictures; C captions, the first B theirs, the others wrong in a word; (B, C) which are equal."""
        chosen = [self._opened[number] for number in rng.choice(len(self._opened), count, p=self._share)]
        windows = [some_window(thing, rng) for *_, thing in chosen]
        shown = [
            within(self._sources[source].things(index), window)
            for (source, index, _), window in zip(chosen, windows, strict=True)
        ]
        turned = torch.from_numpy(rng.random(count) < _MIRRORED)
        shown = [mirrored(things) if turn else things for things, turn in zip(shown, turned, strict=True)]
        every = [thing for things in shown for thing in things]
        wrong = [altered(things, every, rng) for things in shown for _ in range(WRONG)]
        told = [caption(things, rng) for things in (*shown, *wrong)]
        whole = torch.from_numpy(np.stack([self._sources[source].pictures[index] for source, index, _ in chosen]))
        same = torch.tensor([[one.meaning == other.meaning for other in told] for one in told[:count]])
        seen = crop(whole, windows)
        seen[turned] = seen[turned].flip(2)
        return jitter(seen, rng), [each.text for each in told], same


def train(config: ClipConfig) -> Path:
    """Train, write the encoder's weights and the scores; returns the path of the former."""
    run.check_options(config)
    torch.manual_seed(config.seed)
    out, sources, test = Path(config.out), [GroundingData(each) for each in config.data], GroundingData(config.test)
    for source in sources:
        check_apart(source, test)
    sides = {source.pictures.shape[1] for source in (*sources, test)}
    if len(sides) > 1:
        raise EmbodiedError(f"pictures of {sorted(sides)} px: data= and test= must have pictures of one size")
    said = words_of(dict(zip(config.data, sources, strict=True)))
    words = Words(said["colours"], said["kinds"])
    check_measurable(words, test)
    run.record(out, config)
    model = Towers(encoder_of(config.encoder, test.pictures.shape[1]), len(words))
    if config.init:
        take_weights(model.pictures.encoder, Path(config.init) / ENCODER_FILE, "encoder")
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.01)
    first, pairs = run.load_progress(out, model, optimizer), Pairs(sources)

    def losses(step: int) -> Mapping[str, Tensor]:
        pictures, texts, same = pairs.draw(config.batch, np.random.default_rng([config.seed, step]))
        return model.losses(pictures, words.ids(texts), same)

    for step, parts in run.optimise(model, optimizer, losses, WEIGHTS, range(first, config.steps), warm_up=50):
        if step % 10 == 0 or step == config.steps - 1:
            run.log(out, step, parts)
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            run.save_progress(out, model, optimizer)
    with replacing(out / ENCODER_FILE) as part:
        state = model.pictures.encoder.state_dict()
        save_tensors({key: value.contiguous() for key, value in state.items()}, part, {})
    measured = scores(model.eval(), words, test)
    write_json(out / SCORES_FILE, {"test": config.test, "seeds": [test.seeds.start, test.seeds.stop], **measured})
    print_scores(measured)
    return out / ENCODER_FILE


def check_apart(trained: GroundingData, test: GroundingData) -> None:
    """Raises EmbodiedError where a scene of one has the seed of a scene of the other."""
    if set(trained.seeds) & set(test.seeds):
        seeds = f"{test.seeds.start} to {test.seeds.stop - 1}"
        raise EmbodiedError(f"scenes to measure on (seeds {seeds}) are trained on; collect others with another seed=")


def encoder_of(name: str, size_px: int) -> Encoder:
    """An encoder of single pictures with a grid of tokens. Raises UnknownNameError, EmbodiedError for one of others."""
    make = ENCODERS.get(name)
    unknown, rgb = np.full((4, 4), np.nan), np.zeros((size_px, size_px, 3), np.uint8)
    blank = Picture(rgb=rgb, intrinsics_px=unknown[:3, :3], world_from_camera=unknown, stamp_s=0.0)
    try:
        encoder = make(size_px=size_px)
        taken = encoder.prepare([blank])
    except (TypeError, EmbodiedError):
        taken = None
    if taken is None or taken.shape != rgb.shape or encoder.grid is None:
        raise EmbodiedError(f"encoder {name!r} is none of single pictures, as conv, vit and patches are")
    return encoder
