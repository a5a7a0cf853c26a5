# SPDX-License-Identifier: Apache-2.0
"""Train the policy with a recipe."""

import importlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from embodied.config import ConfigError, parse
from embodied.errors import check_name


class Recipe(NamedTuple):
    """A training job. The module of embodied.train with its name has the schema and the function."""

    schema: str
    function: str
    summary: str


RECIPES: Mapping[str, Recipe] = {
    "vision": Recipe("VisionConfig", "train", "pretrain the picture encoder"),
    "clip": Recipe("ClipConfig", "train", "pretrain the picture encoder on captions, and measure it"),
    "codes": Recipe("CodesConfig", "train", "train a vocabulary of codes for pictures"),
    "palme": Recipe("PalmeTrainConfig", "train", "train the PaLM-E core"),
    "average": Recipe("AverageConfig", "average", "write a checkpoint between two"),
    "convert": Recipe("ConvertConfig", "convert", "convert an older checkpoint"),
    "card": Recipe("CardConfig", "write", "write a checkpoint's model card"),
}
EXAMPLE = "embodied train recipe=vision data=data/grounding out=runs/vision"


def main(arguments: Sequence[str]) -> int:
    """Run `recipe=NAME` with the other arguments; prints what it wrote."""
    named = [argument for argument in arguments if argument.startswith("recipe=")]
    others = [argument for argument in arguments if not argument.startswith("recipe=")]
    if not named:
        if any(argument in ("-h", "--help") for argument in arguments):
            print(usage())
            return 0
        raise ConfigError(f"embodied train needs recipe=...; valid: {', '.join(RECIPES)}. Example: {EXAMPLE}")
    name = named[-1].partition("=")[2]
    check_name("recipe", name, RECIPES)
    recipe = RECIPES[name]
    module = importlib.import_module(f"embodied.train.{name}")
    options = parse(getattr(module, recipe.schema), others, command=f"embodied train recipe={name}")
    print(f"wrote {getattr(module, recipe.function)(options)}")
    return 0


def usage() -> str:
    """The text of `embodied train --help`."""
    lines = ["embodied train: Train the policy with a recipe.", ""]
    lines += ["usage: embodied train recipe=NAME [--config FILE.yaml] [key=value ...]", "", "recipes:"]
    lines += [f"  {name:<8}{recipe.summary}" for name, recipe in RECIPES.items()]
    return "\n".join([*lines, "", "embodied train recipe=NAME --help lists the keys of a recipe.", EXAMPLE])
