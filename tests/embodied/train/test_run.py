# SPDX-License-Identifier: Apache-2.0
"""A run knows what it belongs to, goes on as if it had not been cut short, and keeps a log."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from embodied.errors import EmbodiedError
from embodied.train import run


@dataclass
class Config:
    data: str
    encoder: str
    out: str
    layers: int = 6
    steps: int = 10
    save_every: int = 5


@pytest.fixture
def config(tmp_path: Path) -> Config:
    data = tmp_path / "data"
    data.mkdir()
    (data / "meta.json").write_text("{}")
    (data / "scenes.jsonl").write_text('{"scene": 1}\n')
    (data / "pictures.npy").write_bytes(bytes(100))
    (tmp_path / "encoder.safetensors").write_bytes(b"weights")
    return Config(data=str(data), encoder=str(tmp_path / "encoder.safetensors"), out=str(tmp_path / "run"))


def work(config: Config, size: int = 3) -> int:
    """Begin or go on; returns the step that it goes on from."""
    out, model = Path(config.out), nn.Linear(size, 1)
    run.record(out, config)
    optimizer = torch.optim.AdamW(model.parameters())
    first = run.load_progress(out, model, optimizer)
    for _ in run.optimise(
        model,
        optimizer,
        lambda step: {"loss": model(torch.ones(1, size)).square().sum()},
        {"loss": 1.0},
        range(first, first + 2),
        warm_up=1,
    ):
        pass
    run.save_progress(out, model, optimizer)
    return first


def test_a_run_goes_on_with_more_steps_and_from_another_place(config: Config, tmp_path: Path) -> None:
    assert work(config) == 0
    moved = tmp_path / "moved"
    Path(config.data).rename(moved)
    assert work(replace(config, steps=20, save_every=1, data=str(moved))) == 2
    assert json.loads((Path(config.out) / "run.json").read_text())["config"]["steps"] == 20


def test_a_run_does_not_go_on_as_another(config: Config) -> None:
    work(config)
    before = (Path(config.out) / "run.json").read_bytes()
    with pytest.raises(EmbodiedError, match=r"layers: 8 here, 6 in the run; take another out=") as caught:
        work(replace(config, layers=8))
    assert "\n" not in str(caught.value)
    (Path(config.data) / "scenes.jsonl").write_text('{"scene": 2}\n')
    with pytest.raises(EmbodiedError, match=r"data: sha256:\w+ here, sha256:\w+ in the run"):
        work(config)
    (Path(config.data) / "scenes.jsonl").write_text('{"scene": 1}\n')
    (Path(config.data) / "pictures.npy").write_bytes(bytes(200))
    with pytest.raises(EmbodiedError, match=r"data: sha256"):
        work(config)
    (Path(config.data) / "pictures.npy").write_bytes(bytes(100))
    Path(config.encoder).write_bytes(b"other weights")
    with pytest.raises(EmbodiedError, match=r"encoder: sha256"):
        work(config)
    Path(config.encoder).write_bytes(b"weights")
    assert (Path(config.out) / "run.json").read_bytes() == before, "what is refused changes nothing"
    assert work(config) == 2


def test_progress_that_belongs_to_another_run_is_not_taken(config: Config, tmp_path: Path) -> None:
    work(config)
    other = replace(config, out=str(tmp_path / "other"), layers=8)
    work(other)
    progress = Path(other.out) / "progress.safetensors"
    progress.replace(Path(config.out) / progress.name)
    with pytest.raises(EmbodiedError, match=r"layers: 6 here, 8 in the run"):
        work(config)
    progress = Path(config.out) / progress.name
    progress.write_bytes(progress.read_bytes()[:20])
    with pytest.raises(EmbodiedError, match=r"progress\.safetensors is damaged: .* remove it to begin anew"):
        work(config)


def test_progress_of_another_model_is_no_traceback(config: Config) -> None:
    work(config)
    with pytest.raises(EmbodiedError, match=r"does not fit this version of the model at model.weight"):
        work(config, size=4)


def test_what_was_learned_before_the_first_step_is_kept(config: Config) -> None:
    """Such as what actions are normalised by: it is worked out once, and a run that goes on needs it again."""
    out = Path(config.out)
    run.record(out, config)
    for mean in (3.0, 0.0):
        model = nn.Linear(2, 1)
        model.register_buffer("mean", torch.tensor(mean))
        optimizer = torch.optim.AdamW(model.parameters())
        run.load_progress(out, model, optimizer)
        run.save_progress(out, model, optimizer)
        assert float(model.mean) == 3.0


def test_a_run_of_before_there_were_identities_is_not_taken(config: Config) -> None:
    work(config)
    path = Path(config.out) / "run.json"
    path.write_text(json.dumps({"config": {"layers": 6}}))
    with pytest.raises(EmbodiedError, match="nothing in the run says what it was made with"):
        work(config)


def test_a_run_that_did_nothing_yet_stands_in_nobodys_way(config: Config) -> None:
    run.record(Path(config.out), config)
    assert work(replace(config, layers=8)) == 0


def test_what_is_cached_is_made_again_for_other_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, made = tmp_path / "features.safetensors", list[int]()

    def ask(**identity: Any) -> float:
        def make() -> dict[str, torch.Tensor]:
            made.append(len(made))
            return {"front": torch.full((2,), float(len(made)))}

        return float(run.cached(path, identity, make)["front"][0])

    assert [ask(data="a", weights="x"), ask(data="a", weights="x")] == [1.0, 1.0]
    assert capsys.readouterr().out == ""
    assert ask(data="b", weights="x") == 2.0
    assert capsys.readouterr().out == f"{path} is made again: data: b here, a in the file\n"
    assert ask(data="b", weights="x") == 2.0
    path.write_bytes(b"cut short")
    assert ask(data="b", weights="x") == 3.0
    assert "is damaged" in capsys.readouterr().out
    save_file({"features": torch.zeros(2)}, path)  # as it was kept before there were identities
    assert ask(data="b", weights="x") == 4.0


def test_weights_are_told_apart() -> None:
    torch.manual_seed(0)
    one, same = nn.Linear(3, 2), nn.Linear(3, 2)
    same.load_state_dict(one.state_dict())
    assert run.weights_digest(one) == run.weights_digest(same)
    with torch.no_grad():
        same.weight[0, 0] += 1e-6
    assert run.weights_digest(one) != run.weights_digest(same)
    assert run.weights_digest(one) != run.weights_digest(nn.Sequential(one))


def test_losses_are_in_tensorboard_too(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for step in range(3):
        run.log(tmp_path, step, {"plan": torch.tensor(0.5 / (step + 1)), "point": torch.tensor(2.0)})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["plan", "point"]
    assert [(event.step, event.value) for event in events.Scalars("plan")] == [
        (step, pytest.approx(0.5 / (step + 1), abs=1e-5)) for step in range(3)
    ]
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[1] == {"step": 1, "plan": 0.25, "point": 2.0}


def test_without_tensorboard_it_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    run._board_kind.cache_clear()
    for step, name in ((0, "a"), (1, "a"), (0, "b")):
        (tmp_path / name).mkdir(exist_ok=True)
        run.log(tmp_path / name, step, {"plan": torch.tensor(1.0)})
    run._board_kind.cache_clear()
    assert capsys.readouterr().out.count("no TensorBoard") == 1
    assert len((tmp_path / "a" / "log.jsonl").read_text().splitlines()) == 2
    assert not (tmp_path / "a" / "tensorboard").exists()


@pytest.mark.parametrize(("dtype", "product"), [(torch.bfloat16, torch.bfloat16), (torch.float32, torch.float32)])
def test_products_are_of_the_type_that_the_machine_multiplies_fastest(
    dtype: torch.dtype, product: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "fastest_dtype", lambda device: dtype)
    with run.products():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == product
