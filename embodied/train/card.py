# SPDX-License-Identifier: Apache-2.0
"""Recipe 3: write the model card of a checkpoint from the files of its training and evaluation.

    embodied train recipe=card checkpoint=runs/palme/checkpoint run=runs/palme/run.json \\
        results=runs/eval.json,runs/controls.json,runs/oracle.json,runs/random.json

Every number in the card is copied from those files.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodied.config import option
from embodied.errors import EmbodiedError
from embodied.files import write_text
from embodied.language.nouns import listed
from embodied.language.verbs import abilities
from embodied.model.checkpoint import read_config
from embodied.packages import PACKAGE
from embodied.report import cells

HEAD = Path(__file__).with_name("card.md")


@dataclass(kw_only=True)
class CardConfig:
    """Write a model card from run and evaluation files."""

    checkpoint: str = option("runs/palme/checkpoint", "folder of the checkpoint")
    run: list[str] = option(["runs/palme/run.json"], "records of the training runs, in order")
    note: str = option("", "what else a reader should know of the training")
    results: list[str] = option([], "files written by `embodied eval`, with commas between them")


def write(config: CardConfig) -> Path:
    """Write README.md into the checkpoint; returns its path. Raises EmbodiedError for a missing file."""
    if not config.results:
        raise EmbodiedError("a model card needs results=..., files written by `embodied eval out=...`")
    runs = [_read(path) for path in config.run]
    reports = [_read(path) for path in config.results]
    model = read_config(Path(config.checkpoint))
    if lacks := [name for name in ("verbs", "kinds", "colours") if not model.get(name)]:
        raise EmbodiedError(
            f"{config.checkpoint} does not tell its {listed(lacks)}: say "
            f"`embodied train recipe=convert checkpoint={config.checkpoint}` first"
        )
    head = HEAD.read_text(encoding="utf-8").format(
        layers=model["backbone"]["num_hidden_layers"],
        base=_base(model.get("base")),
        verbs=abilities(model["verbs"]),
        kinds=listed(model["kinds"]),
        colours=listed(model["colours"]),
        torch=runs[-1]["versions"]["torch"],
        transformers=runs[-1]["versions"]["transformers"],
        lead="one run" if len(runs) == 1 else "the runs, each from where the last one ended",
        runs="\n".join(_run_line(run) for run in runs),
        note=config.note,
        eval_seed=f"{reports[0]['seed']:,}",
    )
    path = Path(config.checkpoint) / "README.md"
    write_text(path, "\n".join([head, *map(table, reports)]))
    return path


def table(report: dict[str, Any]) -> str:
    """One evaluation as a Markdown table: a row for each task and split, a "-" for what was not judged."""
    lines = [f"Policy `{report['policy']}`:", "", "| task | split | episodes | success | wrong | refused |"]
    lines.append("|---|---|---|---|---|---|")
    for row in report["results"]:
        lines.append(f"| {' | '.join([row['task'], row['split'], str(row['episodes']), *cells(row)])} |")
    return "\n".join([*lines, ""])


def _base(base: dict[str, Any] | None) -> str:
    if base is None:
        return ", its word embeddings are kept as int8"
    return (
        f"; the {base['layers']} below them and the word embeddings are not in this folder, and are read as they came "
        f"from {base['file']} ({base['source'].removeprefix(PACKAGE)}, SHA-256 {base['sha256']})"
    )


def _run_line(run: dict[str, Any]) -> str:
    options = run["config"]
    only = f", {listed(options['only'])} alone" if options.get("only") else ""
    return (
        f"- {options['steps']} steps of {options['batch']} pictures x {options['commands']} commands{only}, "
        f"learning rates {options['learning_rate']:g} and {options['new_learning_rate']:g}, seed {options['seed']}"
    )


def _read(path: str) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EmbodiedError(f"no file {path}") from None
    except json.JSONDecodeError as error:
        raise EmbodiedError(f"{path} is not JSON: {error}") from error
    return data
