# SPDX-License-Identifier: Apache-2.0
"""Recipe 2: train the PaLM-E core on pictures with words.

    embodied train recipe=palme data=data/grounding encoder=runs/vision/encoder.safetensors out=runs/palme

The language model's layers, the projectors and the pointer are trained; word embeddings and the
pretrained encoder are frozen, so picture features are computed once. Several commands share one
picture in a packed sequence. Resumes from `out` where a run was cut short.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from embodied.config import option
from embodied.errors import CheckpointError
from embodied.files import replacing
from embodied.model.backbone import Backbone, encode, load_tokenizer
from embodied.model.heads import Reading
from embodied.model.palme import ModalityConfig, Palme, PalmeConfig
from embodied.model.plan_tokens import PlanLanguage
from embodied.model.sentence import PLANNED, PREFIX, allowed, positions, prompt
from embodied.processes import progress_bar
from embodied.train import run
from embodied.train.grounding_data import GroundingData, Labels, Place, naming_losses

STATE_SIZE = 8
PLANNED_EVERY = 4
"""Every fourth command stands without its words, as on the robot once its plan is known."""
LOSS_WEIGHTS = {"plan": 1.0, "point": 1.0, "token": 0.5, "input": 0.2, "query": 0.3, "offset": 2.0}


@dataclass(kw_only=True)
class PalmeTrainConfig:
    """Train the PaLM-E core."""

    data: str = option("data/grounding", "folder of rendered scenes")
    encoder: str = option("runs/vision/encoder.safetensors", "pretrained picture encoder")
    backbone: str = option("data/smollm2", "causal language model: a folder or a hub name")
    init: str = option("", "checkpoint to start from, instead of a language model and an encoder")
    gguf_file: str = option("SmolLM2-135M-Instruct.Q4_1.gguf", "weights inside of the folder; empty for safetensors")
    layers: int = option(8, "layers of the language model to keep")
    out: str = option("runs/palme", "folder of the run")
    steps: int = option(1000, "optimiser steps")
    pictures: int = option(8, "pictures a step")
    commands: int = option(8, "commands for each picture")
    learning_rate: float = option(3e-4, "peak learning rate of the language model")
    new_learning_rate: float = option(1e-3, "peak learning rate of the new parts")
    save_every: int = option(200, "steps between saves")
    seed: int = option(0, "seed of initialisation and order")


@dataclass(frozen=True)
class Batch:
    """Packed sequences of P pictures, C commands each; padded to the longest."""

    features: Tensor  # (P, T, F)
    state: Tensor  # (P, STATE_SIZE)
    ids: Tensor  # (P, W) word tokens after the prefix
    branch: Tensor  # (P, L)
    reading: Tensor  # (P, L)
    predict: Tensor  # (N, 3): picture, position whose output predicts, index in the plan vocabulary
    nouns: Tensor  # (M, 2): picture, position of a plan's noun
    named: Tensor  # (M, 2): colour and kind that the noun names
    places: Place  # (M, 4, ...)
    labels: Labels  # (P, T, ...)


def build(config: PalmeTrainConfig, words: Mapping[str, Any]) -> Palme:
    """A model from a pretrained language model and a pretrained encoder, to speak the `words` of the data."""
    gguf = config.gguf_file or None
    backbone = Backbone.from_causal_lm(config.backbone, layers=config.layers, gguf_file=gguf)
    tokenizer = load_tokenizer(config.backbone, gguf_file=gguf)
    encoder = load_file(config.encoder) if Path(config.encoder).is_file() else None
    if encoder is None:
        raise CheckpointError(f"no encoder at {config.encoder}; make it with: embodied train recipe=vision")
    front, state = ModalityConfig("conv", {"size_px": 160}), ModalityConfig("mlp", {"size": STATE_SIZE})
    model = Palme(PalmeConfig(modalities={"front": front, "state": state}, **words), backbone, tokenizer)
    model.encoders["front"].load_state_dict(encoder)
    return model


def train(config: PalmeTrainConfig) -> Path:
    """Train and write a checkpoint directory; returns its path."""
    torch.manual_seed(config.seed)
    out = Path(config.out)
    run.record(out, config)
    data = GroundingData(config.data)
    model = Palme.from_pretrained(config.init).train() if config.init else build(config, data.words)
    model.encoders["front"].requires_grad_(False)
    language = model.plan_language()
    new = [p for n, p in model.named_parameters() if p.requires_grad and not n.startswith("backbone")]
    groups = [
        {"params": list(model.backbone.parameters()), "lr": config.learning_rate},
        {"params": new, "lr": config.new_learning_rate},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01)
    first = run.load_progress(out, model, optimizer)
    features = _features(model, data, out / "features.safetensors")

    def parts_of(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([config.seed, step])
        return losses(model, language, make_batch(model, language, data, features, config, rng))

    steps = range(first, config.steps)
    for step, parts in run.optimise(model, optimizer, parts_of, LOSS_WEIGHTS, steps, warm_up=40):
        if step % 20 == 0:
            run.log(out, step, parts)
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            run.save_progress(out, model, optimizer)
            model.save_pretrained(out / "checkpoint")
    return out / "checkpoint"


@torch.inference_mode()
def _features(model: Palme, data: GroundingData, cache: Path) -> Tensor:
    """(N, T, F) bfloat16 features of every picture, computed once and kept for a resumed run."""
    if cache.is_file():
        return load_file(cache)["features"]
    rows = []
    with progress_bar("pictures", len(data)) as advance, torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(data), 64):
            indices = np.arange(start, min(start + 64, len(data)))
            rows.append(model.encoders["front"](data.picture(indices)).bfloat16())
            advance(len(indices))
    features = torch.cat(rows)
    with replacing(cache) as part:
        save_file({"features": features}, part)
    return features


def make_batch(
    model: Palme,
    language: PlanLanguage,
    data: GroundingData,
    features: Tensor,
    config: PalmeTrainConfig,
    rng: np.random.Generator,
) -> Batch:
    """Draw pictures and commands, and pack them."""
    rows, columns = model.grid
    prefix = rows * columns + 1
    vocabulary = {token: i for i, token in enumerate(language.vocabulary)}
    indices = rng.choice(len(data), config.pictures, replace=False)
    words, branches, predict, nouns, named, places = [], [], [], [], [], []
    for row, index in enumerate(indices):
        ids: list[int] = []
        branch = [PREFIX] * prefix
        commands = data.commands(int(index))
        for number, chosen in enumerate(rng.permutation(len(commands))[: config.commands], start=1):
            text, plan = commands[chosen]
            planned = number % PLANNED_EVERY == 0
            question = encode(model.tokenizer, (PLANNED if planned else prompt(text)).text)
            tokens = language.tokens[plan]
            start = prefix + len(ids) + len(question)  # position of the plan's first token
            if not planned:
                predict += [(row, start + i - 1, vocabulary[token]) for i, token in enumerate(tokens.ids)]
            for noun, thing in zip(tokens.nouns, plan.nouns, strict=True):
                pixel = data.find(int(index), thing)
                if pixel is None:
                    continue  # what is not there is named, and not pointed at
                nouns.append((row, start + noun))
                named.append((model.config.colours.index(thing.colour), model.config.kinds.index(thing.kind)))
                places.append(data.place(*pixel, rows, columns))
            ids += question + list(tokens.ids)
            branch += [number] * (len(question) + len(tokens.ids))
        words.append(torch.tensor(ids))
        branches.append(torch.tensor(branch))
    branch_of = pad_sequence(branches, batch_first=True, padding_value=-1)
    reading = torch.full_like(branch_of, -1)
    reading[:, : prefix - 1], reading[:, prefix - 1] = 0, 1  # the picture, and the state after it
    state = data.state + 0.02 * torch.from_numpy(rng.normal(size=(config.pictures, STATE_SIZE))).float()
    state[:, -1] = torch.from_numpy(rng.uniform(0.0, 0.8, config.pictures)).float()
    labels = [data.labels(int(i), rows, columns) for i in indices]
    return Batch(
        features=features[torch.from_numpy(indices)],
        state=state,
        ids=pad_sequence(words, batch_first=True),
        branch=branch_of,
        reading=reading,
        predict=torch.tensor(predict),
        nouns=torch.tensor(nouns).reshape(-1, 2),
        named=torch.tensor(named).reshape(-1, 2),
        places=Place(*map(torch.stack, zip(*places, strict=True))),
        labels=Labels(*map(torch.stack, zip(*labels, strict=True))),
    )


def losses(model: Palme, language: PlanLanguage, batch: Batch) -> dict[str, Tensor]:
    """Every part of the loss, and two accuracies for the log."""
    grounding, backbone = model.grounding, model.backbone
    picture = model.projectors["front"](batch.features)
    state = model.projectors["state"](model.encoders["state"](batch.state))
    embeddings = torch.cat([picture.float(), state.float(), backbone.embedding(batch.ids)], dim=1)
    mask = allowed(batch.branch, batch.reading)
    hidden = backbone(embeddings, mask=mask, position_ids=positions(batch.branch)).float()
    count = picture.shape[1]
    token_hidden = hidden[:, :count]

    row, position, target = batch.predict.unbind(dim=1)
    vocabulary = backbone.embedding(torch.tensor(language.vocabulary))
    logits = hidden[row, position] @ vocabulary.T
    parts = {"plan": nn.functional.cross_entropy(logits, target)}
    parts["plan_accuracy"] = (logits.argmax(dim=-1) == target).float().mean().detach()

    tokens = grounding.read_tokens(token_hidden)
    for name, reading in (("token", tokens), ("input", grounding.read_inputs(picture.float()))):
        colour, kind = naming_losses(reading.colour_logits, reading.kind_logits, batch.labels, empty=0.1)
        parts[name] = colour + kind

    row, position = batch.nouns.unbind(dim=1)
    query_hidden = hidden[row, position]
    queries = grounding.read_queries(query_hidden)
    colour, kind = batch.named.unbind(dim=1)
    parts["query"] = nn.functional.cross_entropy(queries.colour_logits, colour) + nn.functional.cross_entropy(
        queries.kind_logits, kind
    )
    seen = Reading(*(each[row] for each in tokens))
    asked = Reading(*(each[:, None] for each in queries))
    match = grounding.match(seen, asked, token_hidden[row])[:, 0]
    cells, weights, wanted = batch.places
    parts["point"] = -(match.log_softmax(dim=-1).gather(1, cells) * weights).sum(dim=1).mean()
    near = (match.argmax(dim=-1, keepdim=True) == cells) & (weights > 0.05)
    parts["point_accuracy"] = near.any(dim=1).float().mean().detach()

    offsets = grounding.offsets(
        token_hidden[row[:, None], cells],
        batch.features[row[:, None], cells].float(),
        query_hidden[:, None].expand(-1, cells.shape[1], -1),
    ).float()
    error = nn.functional.smooth_l1_loss(offsets, wanted, beta=0.05, reduction="none").sum(dim=-1)
    parts["offset"] = (error * (weights + 0.05)).sum(dim=1).mean()
    distance = (offsets - wanted).norm(dim=-1).gather(1, weights.argmax(dim=1, keepdim=True))
    parts["offset_cells"] = distance.median().detach()
    return parts
