# SPDX-License-Identifier: Apache-2.0
"""Recipe 2: train a model on rendered scenes, on recorded episodes, or on both.

    embodied train recipe=palme data=data/grounding out=runs/palme
    embodied train recipe=palme model=mine.yaml data=data/pick_up out=runs/mine
    embodied train recipe=palme model=embodied/model/palme.yaml init=runs/before/checkpoint

What is trained is everything but word embeddings and what the composition freezes: encoders, and the language model;
what a frozen encoder says of a rendered picture is computed once. Several commands share one picture in a packed
sequence. Resumes from `out` where a run was cut short.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from embodied.config import option
from embodied.data.identity import digest_of
from embodied.data.sample import Command, Sample
from embodied.errors import CheckpointError, EmbodiedError, check_name
from embodied.language.looks import read_on
from embodied.language.verbs import look_of
from embodied.model.backbone import Backbone, load_tokenizer
from embodied.model.base import gguf_of, read_base
from embodied.model.checkpoint import take_weights
from embodied.model.composition import BACKBONE, COMPOSITION, ENTITIES, Composition, SenseConfig, read_composition
from embodied.model.encoders import ENCODERS, Encoder
from embodied.model.heads import Head
from embodied.model.palme import Palme
from embodied.model.precision import fastest_dtype
from embodied.packages import folder_of
from embodied.processes import progress_bar
from embodied.train import lessons, plain_text, run
from embodied.train.grounding_data import GroundingData
from embodied.train.sources import Source, actions_of, moment, open_source, words_of


@dataclass(kw_only=True)
class PalmeTrainConfig:
    """Train a model on scenes and episodes."""

    data: list[str] = option(["data/grounding"], "folders of rendered scenes or recorded episodes, with commas")
    model: str = option("", "composition of the model, a YAML file; empty is that of the shipped policy")
    init: str = option("", "checkpoint to go on from; with model= what of its weights fits into that composition")
    out: str = option("runs/palme", "folder of the run")
    only: list[str] = option([], "weights that learn, as projectors,plan; empty: all that the composition leaves free")
    steps: int = option(2500, "optimiser steps")
    batch: int = option(4, "moments a step, all of one folder")
    commands: int = option(14, "commands for each moment, where there are several")
    text: float = option(0.0, "weight of plain text, so that the language model stays one; 0: none is read")
    learning_rate: float = option(3e-4, "peak learning rate of the language model")
    new_learning_rate: float = option(1e-3, "peak learning rate of the new parts")
    save_every: int = option(200, "steps between saves")
    seed: int = option(0, "seed of initialisation and order")


_LOOKED_AT = 64
"""Commands of a moment, when it is asked what the data show: one alone may be a question."""

Features = Mapping[str, Mapping[str, Tensor]]
"""By folder and sense: (N, T, F) what a frozen encoder says of every sample."""


def build(composition: Composition, words: Mapping[str, Any], *, init: str = "") -> Palme:
    """A model from a pretrained language model and pretrained encoders, to speak the `words` of the data.

    With `init` all that fits is that of a checkpoint; what is pretrained comes from its file all the same, where there
    is one.
    """
    source, config, base = composition.backbone, composition.model, None
    name, gguf = source.name, source.gguf_file or None
    if config.base is not None:
        base, named = read_base(config.base)
        config, name, gguf = replace(config, base=named), str(folder_of(named.source)), gguf_of(named.file)
    below = 0 if config.base is None else config.base.layers
    backbone = Backbone.from_causal_lm(name, layers=source.layers, below=below, gguf_file=gguf)
    if base is not None:
        backbone.embedding = base.embedding
    words = {key: known for key, known in words.items() if key not in composition.given}
    if not config.entities:  # nothing that could be looked at
        words.pop("looks", None)
    config = replace(config, senses=_described(composition), **words)
    model = Palme(config, backbone, load_tokenizer(name, gguf_file=gguf), base)
    taken = _take_over(model, init) if init else frozenset[str]()
    _take_pretrained(model, composition.pretrained, taken)
    return model


def _take_pretrained(model: Palme, files: Mapping[str, str], taken: Collection[str]) -> None:
    """Read the weights of parts from their files; where there is no such file, what was `taken` over will do.

    Raises EmbodiedError for a name without such a part, and for a part without weights that does not learn any.
    """
    parts = {name: (f"encoders.{name}", f"the encoder of {name!r}") for name in model.config.senses}
    parts |= {
        name: (f"{name}.{head.pretrained}", f"the {head.pretrained} of {name!r}")
        for name, head in model.heads.items()
        if head.pretrained
    }
    if model.entities is not None:
        parts[ENTITIES] = (ENTITIES, ENTITIES)
    for name in files:
        check_name("part with weights of its own", name, parts)
    for name, (prefix, what) in parts.items():
        module, path = model.get_submodule(prefix), files.get(name, "")
        recipe, known = getattr(module, "recipe", ""), any(key.startswith(f"{prefix}.") for key in taken)
        if path and (Path(path).exists() or not known):
            if isinstance(module, Encoder):
                module.take(path, what)
            else:
                take_weights(module, path, what, recipe or "vision")
        elif recipe and not known:
            remedy = f"name its file in pretrained:, made with: embodied train recipe={recipe}"
            raise EmbodiedError(f"{what} does not learn with the model; {remedy}")


def _described(composition: Composition) -> dict[str, SenseConfig]:
    """The senses, with what the weights that are given say of their encoders: a checkpoint must tell without them."""
    senses = dict(composition.model.senses)
    for name, path in composition.pretrained.items():
        part = senses[name].encoder if name in senses else None
        if part is None or part.name not in ENCODERS:
            continue
        kind = ENCODERS.get(part.name)
        if isinstance(kind, type) and issubclass(kind, Encoder):
            part = replace(part, options={**kind.options_of(path), **part.options})
            senses[name] = replace(senses[name], encoder=part)
    return senses


def _take_over(model: Palme, checkpoint: str) -> frozenset[str]:
    """Copy every weight of a checkpoint that has the same name and shape; returns the names.

    Raises CheckpointError where the language model is another one: nothing of what was learned would fit.
    """
    known, state = Palme.from_pretrained(checkpoint).state_dict(), model.state_dict()
    fits = {name: value for name, value in known.items() if name in state and state[name].shape == value.shape}
    lacks = sorted(name for name, _ in model.backbone.named_parameters() if f"backbone.{name}" not in fits)
    if lacks:
        what = f"nothing in it fits {lacks[0]} of model="
        raise CheckpointError(f"{checkpoint} has another language model: {what}")
    model.load_state_dict(state | fits)
    return frozenset(fits)


def train(config: PalmeTrainConfig, on_step: Callable[[], None] = lambda: None) -> Path:
    """Train and write a checkpoint directory; returns its path. `on_step` is called after every step."""
    torch.manual_seed(config.seed)
    out = Path(config.out)
    if config.steps < 1:
        raise EmbodiedError(f"steps={config.steps}: it must be above 0")
    if not 0 <= config.text < float("inf"):
        raise EmbodiedError(f"text={config.text}: it must be 0 or more")
    from_files = config.model or not config.init
    composition = read_composition(config.model or COMPOSITION) if from_files else None
    run.record(out, config, _given(composition))
    sources = {folder: open_source(folder) for folder in config.data}
    words = words_of(sources)
    model = (
        Palme.from_pretrained(config.init).train()
        if composition is None
        else build(composition, words, init=config.init)
    )
    check_known(model, sources)
    if model.base is not None:  # without a gradient, it can be as coarse as it is on the robot
        model.base.to(fastest_dtype(torch.device("cpu")))
    frozen = freeze(model)
    if config.only:
        leave_free(model, config.only)
    learns, every = weights_that_learn(model)
    print(f"{learns:,} of {every:,} weights learn: {100 * learns / every:.1f} %")
    learning = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    known = [each for name, each in learning if name.startswith(f"{BACKBONE}.")]
    new = [each for name, each in learning if not name.startswith(f"{BACKBONE}.")]
    groups = [{"params": known, "lr": config.learning_rate}, {"params": new, "lr": config.new_learning_rate}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01)
    first = run.load_progress(out, model, optimizer)
    if (shown := actions_of(sources.values())) is not None:
        for head in model.heads.values():
            head.fit(shown)
    if composition is not None:
        check_shown(model, sources)
    features: Features = {
        folder: _features(model, source, frozen, out / f"features-{number}.safetensors", digest_of(Path(folder)))
        for number, (folder, source) in enumerate(sources.items())
        if isinstance(source, GroundingData) and frozen
    }

    def parts_of(step: int) -> Mapping[str, Tensor]:
        rng = np.random.default_rng([config.seed, step])
        acting = losses(model, *draw(model, sources, features, config, rng))
        return {**acting, **plain_text.loss(model, rng)} if config.text else acting

    steps, weights = range(first, config.steps), weights_of(model) | {plain_text.PART: config.text}
    for step, parts in run.optimise(model, optimizer, parts_of, weights, steps, warm_up=40):
        on_step()
        last = step + 1 == config.steps
        if step % 20 == 0 or last:
            run.log(out, step, parts)
        if (step + 1) % config.save_every == 0 or last:
            # The checkpoint first: a kill in between must not leave an old one beside progress that is at its end.
            model.save_pretrained(out / "checkpoint")
            run.save_progress(out, model, optimizer)
    return out / "checkpoint"


def freeze(model: Palme) -> tuple[str, ...]:
    """Stop learning where the composition says so; returns the senses whose encoders are frozen."""
    for name in model.config.frozen:
        (model.backbone if name == BACKBONE else model.encoders[name]).requires_grad_(False)
    if model.entities is not None:  # words have no gradient
        model.entities.requires_grad_(False)
    return tuple(name for name in model.config.frozen if name != BACKBONE)


def leave_free(model: Palme, only: Sequence[str]) -> None:
    """Stop learning but where names of weights begin with one of `only`, up to a dot. Raises EmbodiedError for one with
    which no name begins whose weights learn."""
    learning = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    for begin in only:
        if not any(f"{name}.".startswith(f"{begin}.") for name, _ in learning):
            valid = ", ".join(dict.fromkeys(name.partition(".")[0] for name, _ in learning))
            raise EmbodiedError(f"only={begin}: no weights that learn are called so; their names begin with: {valid}")
    for name, each in learning:
        each.requires_grad_(any(f"{name}.".startswith(f"{begin}.") for begin in only))


def weights_that_learn(model: Palme) -> tuple[int, int]:
    """How many weights of a model learn, and how many there are; the table of words and a base never do, and count."""
    tables = (each for each in model.buffers() if each.dim() > 1)
    every = sum(each.numel() for each in (*model.parameters(), *tables))
    return sum(each.numel() for each in model.parameters() if each.requires_grad), every


def _given(composition: Composition | None) -> dict[str, str]:
    """What a composition takes from files, for the identity of a run."""
    if composition is None:
        return {}
    files = {"backbone": composition.backbone.name} | composition.pretrained
    if (base := composition.model.base) is not None:
        files["base"] = str(folder_of(base.source) / base.file)
    return {
        f"the composition's {name}": digest_of(Path(path))[:16]
        for name, path in files.items()
        if path and Path(path).exists()
    }


def _features(model: Palme, source: Source, frozen: Sequence[str], cache: Path, data: str) -> Mapping[str, Tensor]:
    """By frozen sense that sees: (N, T, F) bfloat16 of every sample, computed once and kept in `cache`."""

    @torch.inference_mode()
    def compute() -> Mapping[str, Tensor]:
        rows: dict[str, list[Tensor]] = {}
        with progress_bar("pictures", len(source)) as advance, run.products():
            for start in range(0, len(source), 64):
                numbers = range(start, min(start + 64, len(source)))
                seen = [model.senses(moment(source, number).observations) for number in numbers]
                for sense in set(seeing).intersection(*seen):
                    value = torch.stack([each[sense] for each in seen])
                    rows.setdefault(sense, []).append(model.encoders[sense](value).bfloat16())
                advance(len(numbers))
        return {sense: torch.cat(each) for sense, each in rows.items()}

    seeing = [name for name in frozen if getattr(model.encoders[name], "sees", False)]
    encoders = {f"encoder of {name}": run.weights_digest(model.encoders[name]) for name in seeing}
    return run.cached(cache, {"data": data, **encoders}, compute)


def _sample(model: Palme, source: Source, index: int, rng: np.random.Generator, commands: int) -> Sample:
    """A sample with all that the model learns from."""
    wanted = {"commands": commands, "history": model.history, "horizon": model.horizon}
    sample = source.sample(index, rng, **wanted, goal=model.wants_goal)
    return replace(sample, commands=tuple(_at_a_look(each, model.config.looks, rng) for each in sample.commands))


def _at_a_look(command: Command, known: Collection[str], rng: np.random.Generator) -> Command:
    """A command before one of its looks or after all of them; without those that the model does not know."""
    looks = [(look, result) for result in command.looks if (look := look_of(result)).verb in known]
    if command.text is None or not looks:
        return command
    number, text = int(rng.integers(len(looks) + 1)), command.text
    for look, result in looks[:number]:
        text = read_on(text, look, result)
    plan = command.plan if number == len(looks) else looks[number][0]
    return replace(command, text=text, plan=plan, looks=())


def _told(model: Palme, samples: list[Sample], rng: np.random.Generator) -> list[Sample]:
    """The samples, in captions too where a head learns of those."""
    sense = next((head.captioned for head in model.heads.values() if head.captioned), "")
    return lessons.told(samples, model.config.reading_of(sense), rng) if sense else samples


@torch.no_grad()
def check_shown(model: Palme, sources: Mapping[str, Source]) -> None:
    """Raises EmbodiedError where the first samples of all sources show nothing for a sense or for a head."""
    first = (source for source in sources.values() if len(source))
    samples = [_sample(model, source, 0, np.random.default_rng(0), _LOOKED_AT) for source in first]
    samples = _told(model, samples, np.random.default_rng(0))
    sensed = {name for sample in samples for name in model.senses(sample.observations)}
    given = {name for sample in samples for seen in sample.observations for name in seen.readings}
    for sense in model.config.senses:
        if sense not in sensed:
            what = f"sense {sense!r} of the model gets nothing of {model.config.reading_of(sense)!r} from the data"
            raise EmbodiedError(
                f"{what}, which hold: {', '.join(sorted(given))}; check reading: and the encoder's size:"
            )
    parts = {name for sample in samples for name in losses(model, [sample], [{}])}
    for name, head in model.heads.items():
        if head.weights and not any(f"{name}/{part}" in parts for part in head.weights):
            remedy = "leave it out, or add data that show it"
            raise EmbodiedError(f"the data show nothing that the head {name!r} learns; {remedy}")


def check_known(model: Palme, sources: Mapping[str, Source]) -> None:
    """Raises EmbodiedError where scenes show a thing whose kind or colour the model has no word for."""
    for folder, source in sources.items():
        if not isinstance(source, GroundingData):
            continue
        things = [thing for index in range(len(source)) for thing in source.things(index)]
        for what, known in (("kind", model.config.kinds), ("colour", model.config.colours)):
            shown = {getattr(thing, what) for thing in things}
            if strange := sorted(shown - {*known, None}):
                told = f"{folder} shows things of the {what} {', '.join(strange)}, for which the model has no word"
                raise EmbodiedError(f"{told}; it has: {', '.join(known)}; train one with model=, or leave the data out")


def weights_of(model: Palme) -> dict[str, float]:
    """What each part of the loss weighs, by head and part."""
    return {f"{name}/{part}": weight for name, head in model.heads.items() for part, weight in head.weights.items()}


def draw(
    model: Palme, sources: Mapping[str, Source], features: Features, config: PalmeTrainConfig, rng: np.random.Generator
) -> tuple[list[Sample], list[Mapping[str, Tensor]]]:
    """Samples of one source, and what frozen encoders are known to say of each."""
    folder = list(sources)[int(rng.integers(len(sources))) if len(sources) > 1 else 0]
    source, known = sources[folder], features.get(folder, {})
    indices = rng.choice(len(source), config.batch, replace=len(source) < config.batch)
    samples = _told(model, [_sample(model, source, int(i), rng, config.commands) for i in indices], rng)
    return samples, [{sense: rows[int(i)] for sense, rows in known.items()} for i in indices]


def losses(model: Palme, samples: Sequence[Sample], features: Sequence[Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    """Every part of the loss, as "head/part", and what else the heads say for the log.

    Captions are read by themselves: nobody else learns of a picture with a hole in it.
    """
    parts = _losses(model, model.heads, samples, features)
    # What is known of a picture is not of one with a hole.
    told = [
        (told, known if told.observations is sample.observations else {})
        for sample, known in zip(samples, features, strict=True)
        if (told := sample.told) is not None
    ]
    if told:
        captioned = {name: head for name, head in model.heads.items() if head.captioned}
        parts |= _losses(model, captioned, *zip(*told, strict=True))
    return parts


def _losses(
    model: Palme,
    heads: Mapping[str, Head],
    samples: Sequence[Sample],
    features: Sequence[Mapping[str, Tensor]],
) -> dict[str, Tensor]:
    if model.reads_words:
        samples, features = zip(*_one_by_one(samples, features), strict=True)
    sentences = [
        model.sentence(
            model.senses(sample.observations), [(command.text, command.plan) for command in sample.commands], known
        )
        for sample, known in zip(samples, features, strict=True)
    ]
    hidden = model.read(model.embed(sentences))
    return {
        f"{name}/{part}": value for name, head in heads.items() for part, value in head.loss(hidden, samples).items()
    }


def _one_by_one(
    samples: Sequence[Sample], features: Sequence[Mapping[str, Tensor]]
) -> Iterator[tuple[Sample, Mapping[str, Tensor]]]:
    """The same moments as often as they have commands, each with one."""
    for sample, known in zip(samples, features, strict=True):
        for number in range(max(len(sample.commands), 1)):
            yield replace(sample, commands=sample.commands[number : number + 1]), known
