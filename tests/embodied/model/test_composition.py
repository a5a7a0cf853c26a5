# SPDX-License-Identifier: Apache-2.0
"""A composition says what a model is made of; what is wrong in one is told in a line that names the key."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from embodied.errors import EmbodiedError
from embodied.model.composition import BACKBONE, COMPOSITION, WORDS, PartConfig, SenseConfig, read_composition
from embodied.model.palme import Palme
from policies.palme import SHIPPED

GOOD = """
backbone: {name: lm, layers: 2, gguf_file: ""}
senses:
  front: {encoder: conv, options: {size_px: 32}}
  state: {reading: joints, encoder: {name: mlp, options: {size: 8}}}
heads: {plan: plan}
frozen: [front]
"""


def sense(encoder: str, **options: object) -> SenseConfig:
    return SenseConfig(PartConfig(encoder, options))


def written(folder: Path, text: str) -> Path:
    (folder / "mine.yaml").write_text(text)
    return folder / "mine.yaml"


def test_the_shipped_model_is_what_its_composition_says() -> None:
    """Apart from the words, which are those of its data, and the digest of the language model's file."""
    shipped, written_down = Palme.from_pretrained(SHIPPED).config, read_composition(COMPOSITION).model
    assert shipped.base is not None and written_down.base is not None
    given = {name: getattr(shipped, name) for name in WORDS}
    named = replace(written_down.base, sha256=shipped.base.sha256)
    assert replace(written_down, base=named, **given) == shipped
    layers = read_composition(COMPOSITION).backbone.layers
    assert layers == json.loads((SHIPPED / "config.json").read_text())["backbone"]["num_hidden_layers"]
    assert written_down.base.layers + layers == 30, "the whole of the language model"


def test_a_part_is_a_name_or_a_name_with_options(tmp_path: Path) -> None:
    read = read_composition(written(tmp_path, GOOD))
    assert read.model.senses["state"].encoder == PartConfig("mlp", {"size": 8})
    assert (read.model.reading_of("state"), read.model.reading_of("front")) == ("joints", "front")
    assert read.model.senses["front"].connector == PartConfig("affine")
    assert (read.model.fusion, read.backbone.layers, read.model.frozen) == (PartConfig("early"), 2, ("front",))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("heads: {plan: plan}", "head: {plan: plan}", r"unknown key of .*mine.yaml 'head'. Did you mean 'heads'"),
        ("encoder: conv", "encodr: conv", r"key of senses.front in .* 'encodr'. Did you mean 'encoder'"),
        ("encoder: conv, ", "", r"senses.front in .* needs an encoder, as encoder: conv"),
        ("name: lm, ", "", r"mine.yaml needs the name of a language model in backbone: or in base:"),
        (
            "heads:",
            "base: {source: lm, file: x/y, layers: 2}\nheads:",
            r"the file of base in .* must be the name of one",
        ),
        ("heads:", "base: {source: lm, file: y, layers: 2}\nheads:", r"in backbone: or in base:, and not in both"),
        ("heads:", "base: {source: lm, layers: 2}\nheads:", r"base in .* lacks file"),
        ("heads: {plan: plan}", "heads: [plan]", r"heads in .* must be `key: value` lines"),
        ("frozen: [front]", "frozen: [frnt]", r"unknown sense in .* 'frnt'. Did you mean 'front'"),
        ("backbone:", "backbone", r"no composition of a model in .*mine.yaml: "),
        ("options: {size: 8}", "options: 8", r"options of encoder of senses.state in .* must be `key: value` lines"),
        ("frozen: [front]", "frozen: front", r"frozen in .* must be a list of words, not 'front'"),
        (
            "frozen: [front]",
            "pretrained: {paln: a.safetensors}",
            r"unknown sense or head in .* 'paln'. Did you mean 'plan'",
        ),
        ("frozen: [front]", "frozen:", r"frozen in .* must be a list of words, not None"),
        ("layers: 2", "layers: two", r"backbone in .* a whole number of layers"),
        ("front: {encoder", "a.b: {encoder", r"'a.b' cannot be the name of a sense or head"),
        ("front: {encoder", "keys: {encoder", r"'keys' cannot be the name of a sense or head"),
        ("encoder: conv", "encoder: {name: [conv]}", r"name of encoder of senses.front in .* must be a word"),
        ("frozen: [front]", "colours: red", r"colours in .* must be a list of words, not 'red'"),
    ],
)
def test_a_fault_is_told_in_a_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    assert old in GOOD
    with pytest.raises(EmbodiedError, match=words) as caught:
        read_composition(written(tmp_path, GOOD.replace(old, new)))
    assert "\n" not in str(caught.value)
    with pytest.raises(EmbodiedError, match=r"no composition of a model in .*none.yaml"):
        read_composition(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"heads": {"plan": PartConfig("plna")}}, "unknown head 'plna'. Did you mean 'plan'"),
        ({"heads": {"backbone": PartConfig("plan")}}, "a head cannot be called 'backbone'"),
        ({"heads": {"x": PartConfig("grounding", {"sense": "state"})}}, "nobody can point in 'state'"),
        ({"heads": {"x": PartConfig("chunk", {"stesp": 3})}}, "head 'chunk' with the options .*'stesp'"),
        ({"heads": {"x": PartConfig("chunk", {"steps": 0})}}, "steps must be a whole number from 1 on, not 0"),
        ({"heads": {"x": PartConfig("chunk", {"hidden": True})}}, "hidden must be a whole number from 1 on, not True"),
        ({"senses": {"f": sense("conv", size_px=0)}}, "size_px must be a whole number from 1 on, not 0"),
        ({"senses": {"f": sense("conv", size_px=100000)}}, "size_px must be a multiple of 16 up to 1024, not 100000"),
        ({"senses": {"f": sense("conv", size_px="64")}}, "size_px must be a whole number from 1 on, not '64'"),
        ({"senses": {"f": sense("mlp", size=-1)}}, "size must be a whole number from 1 on, not -1"),
        ({"fusion": PartConfig("os:system")}, "parts are named, and 'os:system' is code"),
        ({"fusion": PartConfig("late")}, "unknown fusion 'late'"),
    ],
)
def test_parts_that_do_not_fit_are_refused(options: dict, words: str, make_tiny: Callable[..., Palme]) -> None:
    with pytest.raises(EmbodiedError, match=words):
        make_tiny(**options)


def test_the_composition_that_stays_a_language_model_trains_none_of_its_layers() -> None:
    lora = read_composition(Path(COMPOSITION).parent / "lora.yaml").model
    shipped = read_composition(COMPOSITION).model
    assert (lora.fusion.name, lora.base) == ("lora", shipped.base)
    assert BACKBONE in lora.frozen and BACKBONE not in shipped.frozen
