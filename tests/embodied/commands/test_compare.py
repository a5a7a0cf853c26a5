# SPDX-License-Identifier: Apache-2.0
"""Variants of a model: every connector and fusion that there is, trained and measured alike, and not twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embodied.commands import compare
from embodied.config import ConfigError
from embodied.errors import UnknownNameError
from embodied.model.composition import read_composition
from embodied.model.connectors import CONNECTORS
from embodied.model.fusion import FUSIONS
from sim import grounding
from sim.grounding import GroundingConfig


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


@pytest.mark.parametrize("given", [{"only": ["connector:glue"]}, {"steps": 0}, {"task": ["juggle"]}, {"seed": -1}])
def test_what_cannot_be_compared_is_refused_before_it_is_trained(tmp_path: Path, given: dict[str, object]) -> None:
    with pytest.raises((UnknownNameError, ConfigError)):
        compare.check(options(tmp_path, **given))


def test_variants_are_trained_and_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    grounding.write(GroundingConfig(out=str(data), scenes=2, workers=1, tasks=["touch"]))
    shipped = Path(__file__).parents[3] / "policies" / "checkpoint"
    out = tmp_path / "compared"
    given = [f"data={data}", f"checkpoint={shipped}", f"out={out}", "layers=1", "batch=2", "commands=1", "episodes=1"]
    given += ["only=connector:pool,fusion:norms"]
    assert compare.main([*given, "steps=2"]) == 0
    table = (out / "table.md").read_text()
    assert "| `connector:pool` |" in table and "| `fusion:norms` |" in table
    rows = {row["variant"]: row for row in json.loads((out / "compare.json").read_text())["rows"]}
    assert rows["connector:pool"]["learns"] > 10 * rows["fusion:norms"]["learns"] > 0
    assert rows["connector:pool"]["eval"]["episodes"] == 1 and rows["connector:pool"]["step_s"] > 0

    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("embodied.train.palme.train", never)
    (out / "table.md").unlink()
    assert compare.main([*given, "steps=2"]) == 0
    assert (out / "table.md").read_text() == table
    with pytest.raises(ConfigError, match=r"holds another comparison: .*steps"):
        compare.main([*given, "steps=3"])
