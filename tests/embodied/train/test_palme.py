# SPDX-License-Identifier: Apache-2.0
"""Laws of the training job: it learns, and a run that was cut short ends as one that was not."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from embodied.errors import EmbodiedError
from embodied.language.verbs import Noun
from embodied.model.composition import PartConfig
from embodied.model.heads.grid import around, labels
from embodied.model.palme import Palme
from embodied.train import palme, run
from embodied.train.grounding_data import GroundingData

SIZE_PX = 32


@pytest.fixture
def options(tiny, tmp_path: Path) -> dict:
    """A tiny model to start from, and four scenes of noise with one red block each."""
    tiny.save_pretrained(tmp_path / "init")
    data = tmp_path / "data"
    data.mkdir()
    rng = np.random.default_rng(0)
    np.save(data / "pictures.npy", rng.integers(0, 255, (4, SIZE_PX, SIZE_PX, 3), dtype=np.uint8))
    commands = [["touch the red block", "touch red block"], ["lift the red block", "lift red block"]] * 2
    scenes = [{"objects": [[0, 0, 9.0 + i, 20.0]], "commands": commands} for i in range(4)]
    (data / "scenes.jsonl").write_text("".join(json.dumps(scene) + "\n" for scene in scenes))
    words = {name: getattr(tiny.config, name) for name in ("verbs", "kinds", "colours", "other_colours")}
    (data / "meta.json").write_text(json.dumps({"seed": 0, "state": [0.0] * 8} | words))
    return {
        "data": [str(data)],
        "init": str(tmp_path / "init"),
        "steps": 6,
        "save_every": 3,
        "batch": 2,
        "commands": 4,
    }


def test_a_run_that_was_cut_short_ends_as_one_that_was_not(
    options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "whole"), **options))
    cut = palme.PalmeTrainConfig(out=str(tmp_path / "cut"), **options)
    with monkeypatch.context() as patch:
        saved = run.save_progress

        def save_and_die(*arguments):
            saved(*arguments)
            raise KeyboardInterrupt

        patch.setattr(run, "save_progress", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            palme.train(cut)
    resumed = palme.train(cut)
    a, b = (Palme.from_pretrained(folder).state_dict() for folder in (whole, resumed))
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.allclose(value.float(), b[name].float(), atol=1e-5), name


def test_training_lowers_the_loss_and_keeps_what_is_frozen(options: dict, tmp_path: Path):
    out = tmp_path / "run"
    steps = options | {"steps": 41}
    made = palme.train(palme.PalmeTrainConfig(out=str(out), **steps))
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["token"] < 0.9 * rows[0]["token"]
    before, after = (Palme.from_pretrained(folder).state_dict() for folder in (options["init"], made))
    for name, value in before.items():
        if name.startswith(("encoders.front", "backbone.embedding")):
            assert torch.equal(value, after[name]), name


def test_data_that_is_not_there_says_how_to_make_it(options: dict, tmp_path: Path):
    missing = options | {"data": [str(tmp_path / "nowhere")]}
    with pytest.raises(EmbodiedError, match="embodied collect task=grounding"):
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **missing))


def test_data_of_an_older_kind_say_so(options: dict, tmp_path: Path):
    (Path(options["data"][0]) / "meta.json").write_text(json.dumps({"seed": 0, "state": [0.0] * 8}))
    with pytest.raises(EmbodiedError, match=r"lacks 'verbs': it is of an older kind; render again"):
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **options))


def test_labels_name_things_as_the_data_list_them(options: dict):
    data = GroundingData(options["data"][0])
    sample = data.sample(0, np.random.default_rng(0), commands=3, history=1, horizon=0)
    named = labels(sample.things, (2, 2), data.colours, data.kinds)
    there = named.weight > 0
    assert there.any() and (named.colour[there] == 0).all() and (named.kind[there] == 0).all()
    assert (named.colour[~there] == len(data.colours)).all() and (named.kind[~there] == len(data.kinds)).all()
    red = sample.find(Noun("red", "block"))
    assert (red.u, red.v) == (9.0 / SIZE_PX, 20.0 / SIZE_PX)
    assert sample.find(Noun("blue", "block")) is None
    assert around(red.u, red.v, (2, 2)).weights.sum() == pytest.approx(1.0)
    assert len(sample.commands) == 3


def test_data_without_anything_to_learn_from_are_refused(options: dict, tmp_path: Path, make_tiny):
    """Rendered scenes show no actions: a model that only acts learns nothing from them."""
    make_tiny(heads={"chunk": PartConfig("chunk")}).save_pretrained(tmp_path / "acts")
    config = palme.PalmeTrainConfig(out=str(tmp_path / "run"), **options | {"init": str(tmp_path / "acts")})
    with pytest.raises(EmbodiedError, match="the data show nothing that the model learns; it learns chunk, ends"):
        palme.train(config)
