# SPDX-License-Identifier: Apache-2.0
"""A head draws how the table should look: it learns from the ends of commands, and what it draws are its codes."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from embodied.data import layout
from embodied.data.layout import Feature
from embodied.data.sample import Command, Sample
from embodied.data.writer import DatasetWriter
from embodied.errors import EmbodiedError
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.engine import Engine
from embodied.model.heads.drawing import Drawing
from embodied.model.palme import Palme
from embodied.motion.actions import EE_DELTA_NAMES
from embodied.types import Joints, Observation, Picture
from tests.pages import DOCS, parts_of
from tests.tokenizers import OPTIONS, paint, plain

FRONT = SenseConfig(PartConfig("conv", {"size_px": 32, "width": 8}))
STATE = SenseConfig(PartConfig("mlp", {"size": 8, "hidden": 16}), reading="joints")
SAID = ("make it red", "put the blue one away")


def seen(*codes: int) -> Observation:
    """A picture of plain patches, and the joints."""
    geometry = {"intrinsics_px": np.eye(3), "world_from_camera": np.eye(4), "stamp_s": 0.0}
    joints = Joints(position_rad=np.zeros(7), velocity_rad_s=np.zeros(7), gripper_width_m=0.08, stamp_s=0.0)
    return Observation(readings={"front": Picture(rgb=plain(np.array([codes]))[0], **geometry), "joints": joints})


def wanted(now: Sequence[int], **goals: Sequence[int]) -> Sample:
    """What is seen, and for each thing that may be said what should then be seen."""
    commands = (Command(text=words.replace("_", " "), goal=seen(*goal)) for words, goal in goals.items())
    return Sample(observations=(seen(*now),), commands=tuple(commands))


@pytest.fixture
def model(make_tiny: Callable[..., Palme]) -> Palme:
    drawing = PartConfig("drawing", {**OPTIONS, "hidden": 16})
    model = make_tiny(senses={"front": FRONT, "state": STATE}, heads={"goal": drawing})
    paint(model.heads["goal"].tokenizer)
    return model


def test_it_learns_how_the_table_should_look_and_draws_it(
    model: Palme, learn: Callable[..., list[float]], tmp_path: Path
) -> None:
    red, away = (words.replace(" ", "_") for words in SAID)
    samples = [
        wanted((0, 1, 2, 3), **{red: (4, 1, 2, 3), away: (0, 1, 2, 0)}),
        wanted((7, 6, 5, 1), **{red: (7, 6, 4, 4), away: (7, 6, 5, 0)}),
    ]
    before = {name: value.clone() for name, value in model.heads["goal"].tokenizer.state_dict().items()}
    learn(model, samples, "goal/codes", to=0.1)
    assert all(torch.equal(value, before[name]) for name, value in model.heads["goal"].tokenizer.state_dict().items())
    model.save_pretrained(tmp_path / "model")
    engine = Engine(Palme.from_pretrained(tmp_path / "model"))
    for sample in samples:
        for command in sample.commands:
            drawn = engine.answer(engine.model.senses(sample.observations), command.text).others["goal"]
            assert command.goal is not None and drawn.shape == (32, 32, 3) and drawn.dtype == np.uint8
            off = drawn.astype(int) - command.goal.picture("front").rgb
            assert np.abs(off).max() <= 1, "read back from no other file; bfloat16 rounds"


@torch.no_grad()
def test_packed_commands_draw_what_one_alone_draws(model: Palme) -> None:
    head, senses = model.heads["goal"], model.senses((seen(0, 5, 2, 7),))
    packed = model.read(model.embed([model.sentence(senses, [(SAID[0], None), (SAID[1], None), ("go", None)])]))
    together = head.logits(packed, *packed.asked())
    for number, words in enumerate((*SAID, "go")):
        alone = model.read(model.embed([model.sentence(senses, [(words, None)])]))
        torch.testing.assert_close(head.logits(alone, *alone.asked())[0], together[number], rtol=1e-4, atol=2e-5)


@torch.no_grad()
def test_what_is_for_the_log_tells_what_changes_from_what_stays(model: Palme, monkeypatch: pytest.MonkeyPatch) -> None:
    def stays(head: Drawing, hidden: object, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.tensor([[0, 1, 2, 3]] * len(rows)), 8).float()

    monkeypatch.setattr(Drawing, "logits", stays)
    samples = [wanted((0, 1, 2, 3), go=(0, 1, 2, 6), stay=(0, 1, 2, 3))]
    parts = model.heads["goal"].loss(hidden_of(model, samples), samples)
    assert (float(parts["right"]), float(parts["right_where_changed"])) == (7 / 8, 0.0)


def hidden_of(model: Palme, samples: Sequence[Sample]) -> object:
    said = [[(command.text, command.plan) for command in sample.commands] for sample in samples]
    sentences = [model.sentence(model.senses(s.observations), each) for s, each in zip(samples, said, strict=True)]
    return model.read(model.embed(sentences))


@torch.no_grad()
def test_it_learns_nothing_of_what_shows_no_end(model: Palme) -> None:
    head, sample = model.heads["goal"], wanted((0, 1, 2, 3), go=(0, 1, 2, 6))
    assert model.wants_goal and head.loss(hidden_of(model, [sample]), [sample])
    blind = Observation(readings={"joints": seen(0, 0, 0, 0).joints})
    for nothing in ({"goal": None}, {"goal": blind}, {"text": None}):
        other = replace(sample, commands=(replace(sample.commands[0], **nothing),))
        assert head.loss(hidden_of(model, [other]), [other]) == {}
    unseen = replace(sample, observations=(blind,))
    assert head.loss(hidden_of(model, [unseen]), [unseen]) == {}


def test_the_code_of_the_page_writes_what_is_drawn(
    model: Palme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = [b.text for b in parts_of(DOCS / "model.md")[1] if b.heading == "Pictures as codes" and "Image" in b.text]
    model.save_pretrained(tmp_path / "runs" / "gill" / "checkpoint")
    features = {
        f"{layout.IMAGES}front": Feature(dtype="video", shape=(32, 32, 3), names=("height", "width", "channels")),
        layout.ACTION: Feature(dtype="float32", shape=(7,), names=EE_DELTA_NAMES),
    }
    frames = {f"{layout.IMAGES}front": plain(np.array([[0, 1, 2, 3]] * 2)), layout.ACTION: np.zeros((2, 7), np.float32)}
    made = {"fps": 10, "robot_type": "test", "features": features, "made_with": {}}
    with DatasetWriter(tmp_path / "data" / "put_in_bowl", **made) as writer:
        writer.add_episode("do it", frames)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    drawn = runpy.run_path("page.py")["answer"].others["goal"]
    assert np.array_equal(np.asarray(Image.open("runs/goal.png")), drawn) and drawn.shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sense": "frnt"}, "unknown sense 'frnt'. Did you mean 'front'"),
        ({"sense": "state"}, "it draws a picture, and the sense 'state' is none"),
        ({"heads": 3}, "hidden must be a multiple of heads=3, not 16"),
        ({"patch_px": 10}, "patch_px must be one of 4, 8, 16, 32, not 10"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    options: dict[str, object], words: str, make_tiny: Callable[..., Palme]
) -> None:
    drawing = PartConfig("drawing", {**OPTIONS, "hidden": 16, **options})
    with pytest.raises(EmbodiedError, match=words):
        make_tiny(senses={"front": FRONT, "state": STATE}, heads={"goal": drawing})
