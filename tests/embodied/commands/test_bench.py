# SPDX-License-Identifier: Apache-2.0
"""The bench: it runs, counts what it says, and judges nothing."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from embodied import policy
from embodied.commands import bench
from embodied.commands.bench import BenchOptions
from embodied.config import ConfigError, parse
from embodied.errors import UnknownNameError
from embodied.motion.skills import SkillCall
from embodied.types import Decision, Instruction, Observation

if TYPE_CHECKING:
    from embodied.model.palme import Palme


class StagedPolicy:
    """Decodes for a new command only; refuses every third."""

    needs: tuple[str, ...] = ("front",)
    heard = 0

    def __init__(self) -> None:
        self._known = False

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        self._known = False
        StagedPolicy.heard += 1

    def decide(self, observation: Observation) -> Decision:
        stages = {"encode": 2.0} if self._known else {"encode": 2.0, "decode": 7.0}
        self._known = True
        refused = StagedPolicy.heard % 3 == 0
        call = SkillCall(skill="pick", points_m=np.array([[0.5, 0.0, 0.02]]))
        return Decision(
            text="",
            motion=None if refused else call,
            observation_stamp_s=observation.stamp_s,
            refused=refused,
            timings_ms=stages,
        )


def options(*arguments: str) -> BenchOptions:
    return parse(BenchOptions, arguments, command="embodied bench")


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> None:
    StagedPolicy.heard = 0
    monkeypatch.setattr(policy, "make_policy", lambda name, given: StagedPolicy())


@pytest.mark.usefixtures("staged")
def test_decisions_are_split_into_stages_and_into_new_and_known_plans() -> None:
    found = bench.measure_decisions(options("decisions=3", "picture_size_px=32"))
    assert found["picture_size_px"] == 32
    assert found["fresh_ms"]["encode"] == {"p50": 2.0, "p95": 2.0, "p99": 2.0}
    assert found["fresh_ms"]["decode"]["p50"] == 7.0
    assert "decode" not in found["cached_plan_ms"]
    assert found["cached_plan_ms"]["total"]["p50"] > 0


@pytest.mark.usefixtures("staged")
def test_the_report_is_written_and_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    arguments = ["part=decision,environment", "decisions=2", "steps=5", "picture_size_px=32", f"out={out}"]
    assert bench.main(arguments) == 0
    report: dict[str, Any] = json.loads(out.read_text())
    assert report["machine"]["cores"] >= 1
    world = report["results"]["environment"]
    assert world["steps"] == 10
    assert world["ratio"] == pytest.approx(world["light_steps_per_s"] / world["detailed_steps_per_s"])
    assert report["results"]["peak_memory_mb"] > 20
    text = capsys.readouterr().out
    assert "encode" in text and "steps/s" in text and "peak memory" in text


def test_decoding_is_compared_with_what_the_bandwidth_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    from embodied.model import large
    from embodied.model.backbone import Backbone

    config = transformers.LlamaConfig(
        vocab_size=256, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2
    )
    backbone = Backbone(config).eval()
    engine = types.SimpleNamespace(model=types.SimpleNamespace(backbone=backbone))
    monkeypatch.setattr(policy, "make_policy", lambda name, given: types.SimpleNamespace(engine=engine))
    monkeypatch.setattr(large, "bytes_a_second", lambda device: 1e9)
    found = bench.measure_decode(options("threads=1"))
    layers = sum(p.nbytes for name, p in backbone.named_parameters() if "embed" not in name)
    assert found["weights_mb"] == pytest.approx(layers / 1e6)
    assert found["bound_tokens_per_s"] == pytest.approx(1e9 / layers)
    assert found["share_of_bound"] == pytest.approx(found["tokens_per_s"] / found["bound_tokens_per_s"])


def test_the_plain_way_has_all_layers_and_reads_and_writes_as_much(
    make_tiny: Callable[..., Palme], tmp_path: Path
) -> None:
    import torch

    from embodied.model.composition import PartConfig, SenseConfig
    from embodied.model.precision import fastest_dtype

    senses = {"front": SenseConfig(PartConfig("conv", {"size_px": 32, "width": 8}))}
    make_tiny(senses=senses).save_pretrained(tmp_path / "model")
    given = options("decisions=2", "threads=1", f"options.checkpoint={tmp_path / 'model'}")
    found = bench.measure_plain(given)
    fastest = str(fastest_dtype(torch.device("cpu"))).removeprefix("torch.")  # bfloat16 where the cores have it
    assert (found["layers"], found["dtype"]) == (2, fastest)
    assert found["read_tokens"] > 4 + found["written_tokens"] > 5
    assert found["ratio"] == pytest.approx(found["plain_ms"] / found["engine_ms"])


@pytest.mark.usefixtures("staged")
def test_the_plain_way_needs_a_language_model() -> None:
    with pytest.raises(ConfigError, match=r"part=plain needs .*decision,answer,environment,bandwidth"):
        bench.measure_plain(options("policy=random"))


@pytest.mark.usefixtures("staged")
def test_decoding_needs_a_language_model() -> None:
    with pytest.raises(ConfigError, match="language model"):
        bench.measure_decode(options("policy=random"))


def test_mistakes_are_found_before_anything_is_loaded() -> None:
    with pytest.raises(UnknownNameError, match="decision"):
        bench.check(options("part=decisions"))
    with pytest.raises(UnknownNameError, match="put_in_bowl"):
        bench.check(options("task=put_in_bowel"))
    with pytest.raises(ConfigError, match="at least 1"):
        bench.check(options("steps=0"))


@pytest.mark.usefixtures("staged")
def test_plain_text_needs_a_language_model() -> None:
    with pytest.raises(ConfigError, match=r"part=text needs a policy with a language model"):
        bench.measure_text(options("policy=random"))


def test_plain_text_needs_to_know_where_the_language_model_came_from(
    make_tiny: Callable[..., Palme], tmp_path: Path
) -> None:
    from embodied.model.composition import PartConfig, SenseConfig

    senses = {"front": SenseConfig(PartConfig("conv", {"size_px": 32, "width": 8}))}
    make_tiny(senses=senses).save_pretrained(tmp_path / "model")
    with pytest.raises(ConfigError, match=r"'palme' names no base"):
        bench.measure_text(options(f"options.checkpoint={tmp_path / 'model'}"))


def test_a_large_model_needs_a_gpu() -> None:
    import torch

    if torch.cuda.is_available():
        found = bench.measure_large(options("decisions=20"))
        assert found["weights_m"] > 6000
        assert found["ratio"] > 1.0
    else:
        with pytest.raises(ConfigError, match="part=large needs a CUDA device, and there is none"):
            bench.measure_large(options())


def test_what_was_measured_stays_where_a_later_part_goes_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: BenchOptions) -> dict[str, Any]:
        raise RuntimeError("out of memory")

    out = tmp_path / "bench.json"
    monkeypatch.setattr(bench, "measure_bandwidth", lambda _: {"read_gb_per_s": 7.0})
    monkeypatch.setattr(bench, "measure_decode", fail)
    monkeypatch.setattr(bench, "_engine", lambda *_: None)
    monkeypatch.setattr(policy, "make_policy", lambda *_: None)
    with pytest.raises(RuntimeError, match="out of memory"):
        bench.main(["part=bandwidth,decode", f"out={out}"])
    assert json.loads(out.read_text())["results"]["bandwidth"] == {"read_gb_per_s": 7.0}
