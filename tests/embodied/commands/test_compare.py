# SPDX-License-Identifier: Apache-2.0
"""Variants of a model: every connector and fusion that there is, trained and measured alike, and not twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from embodied.commands import collect, compare
from embodied.config import ConfigError
from embodied.errors import UnknownNameError
from embodied.model.composition import read_composition
from embodied.model.connectors import CONNECTORS
from embodied.model.fusion import FUSIONS
from sim import grounding
from sim.grounding import GroundingConfig

if TYPE_CHECKING:
    from embodied.model.palme import Palme


def options(out: Path, **given: object) -> compare.CompareOptions:
    return compare.CompareOptions(**{"out": str(out), "checkpoint": "nowhere", **given})  # type: ignore[arg-type]


def test_every_connector_and_fusion_is_one_variant_and_a_composition(tmp_path: Path) -> None:
    import yaml

    every = compare.variants()
    assert {each.connector for each in every} == set(CONNECTORS)
    assert {each.fusion for each in every} == set(FUSIONS)
    assert len({each.name for each in every}) == len(every)
    for each in every:
        path = tmp_path / "model.yaml"
        path.write_text(yaml.safe_dump(each.composition(options(tmp_path), {"name": "conv"})))
        model = read_composition(path).model
        assert model.senses["front"].connector.name == each.connector and model.fusion.name == each.fusion
        assert ("backbone" in model.frozen) == each.frozen


def test_heads_that_act_read_the_joints_of_the_arm_that_is_asked_for(tmp_path: Path) -> None:
    acts = next(each for each in compare.variants() if each.head)
    for arm, size in (("panda", 8), ("ur5e", 7)):
        composition = acts.composition(options(tmp_path, arm=arm), {"name": "conv"})
        assert composition["senses"]["state"]["encoder"]["options"] == {"size": size}


@pytest.mark.parametrize("given", [{"only": ["connector:glue"]}, {"steps": 0}, {"task": ["juggle"]}, {"seed": -1}])
def test_what_cannot_be_compared_is_refused_before_it_is_trained(tmp_path: Path, given: dict[str, object]) -> None:
    with pytest.raises((UnknownNameError, ConfigError)):
        compare.check(options(tmp_path, **given))


@pytest.fixture
def language(tmp_path: Path, tiny: Palme) -> Path:
    """A language model of two layers in a folder: what is compared here is not how well anything learns."""
    from transformers import LlamaForCausalLM

    folder = tmp_path / "language"
    LlamaForCausalLM(tiny.backbone.config).save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    return folder


def test_variants_are_trained_and_measured_once(
    tmp_path: Path, language: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, recorded = tmp_path / "data", tmp_path / "recorded"
    grounding.write(GroundingConfig(out=str(data), scenes=2, workers=1, tasks=["touch"]))
    assert collect.main(["task=touch", "episodes=1", "picture_size_px=160", "workers=1", f"out={recorded}"]) == 0
    shipped = Path(__file__).parents[3] / "policies" / "checkpoint"
    out = tmp_path / "compared"
    given = [f"data={data}", f"recorded={recorded}", f"checkpoint={shipped}", f"out={out}", f"language={language}"]
    given += ["gguf_file=", "layers=1", "batch=2", "commands=1", "episodes=1"]
    given += ["only=connector:pool,fusion:norms,head:bins"]
    assert compare.main([*given, "steps=2"]) == 0
    table = (out / "table.md").read_text()
    variants, acting = table.split("| head that acts |")
    assert "| `connector:pool` |" in variants and "| `fusion:norms` |" in variants and "| `head:bins` |" in acting
    rows = {row["variant"]: row for row in json.loads((out / "compare.json").read_text())["rows"]}
    assert rows["connector:pool"]["learns"] > rows["fusion:norms"]["learns"] > 0
    assert rows["connector:pool"]["eval"]["episodes"] == 1 and rows["connector:pool"]["step_s"] > 0

    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("embodied.train.palme.train", never)
    assert compare.main([*given, "steps=2", "seed=5"]) == 0
    assert "seeds from 5" in (out / "table.md").read_text()
    assert compare.main([*given, "steps=2", "only=fusion:norms"]) == 0
    assert (out / "table.md").read_text() == table, "what was measured before is in it, however few are asked for"
    with pytest.raises(ConfigError, match=r"holds another comparison: .*steps"):
        compare.main([*given, "steps=3"])


def test_heads_that_act_are_compared_where_there_are_episodes_to_learn_from(tmp_path: Path) -> None:
    heads = {each.name for each in compare.variants() if each.head}
    assert {"head:chunk", "head:flow"} <= heads
    assert not heads & {each.name for each in compare.check(options(tmp_path))}
    assert heads <= {each.name for each in compare.check(options(tmp_path, recorded=["somewhere"]))}
    with pytest.raises(ConfigError, match="embodied collect task=touch"):
        compare.check(options(tmp_path, only=["head:chunk"]))
