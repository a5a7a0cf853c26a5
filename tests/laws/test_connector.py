# SPDX-License-Identifier: Apache-2.0
"""Law: a connector is one class with `forward`. Here: a few tokens, each of which gathers the cells that it cares for.

And the law that holds for every connector: commands packed on one picture read the same tokens as alone on the robot.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from embodied.data.sample import Command, Sample
from embodied.errors import EmbodiedError
from embodied.language.verbs import parse_plan
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.engine import Engine
from embodied.model.palme import Palme
from embodied.types import Joints, Observation, Picture

# --8<-- what a connector is
from torch import Tensor, nn

from embodied.model.connectors import CONNECTORS, Connector, unit_rms
from embodied.model.encoders import Encoder


class Gathered(Connector):
    """`tokens` weighted means of all cells, whose weights the cells say themselves (TokenLearner, Ryoo et al. 2021)."""

    keeps_cells = False

    def __init__(self, encoder: Encoder, dim: int, *, text_scale: float, tokens: int = 4) -> None:
        super().__init__(encoder, dim, text_scale=text_scale)
        if encoder.grid is None:
            raise ValueError("it gathers cells, and the encoder gives no grid")
        rows, columns = encoder.grid
        self.place = nn.Parameter(0.1 * torch.randn(rows * columns, dim))
        self.cares = nn.Linear(encoder.feature_dim, tokens)
        self.map = nn.Linear(encoder.feature_dim, dim)

    def forward(self, features: Tensor) -> Tensor:
        cells = unit_rms(features)
        weights = self.cares(cells).softmax(dim=1)
        return self.scaled(torch.einsum("btk,btd->bkd", weights, self.map(cells) + self.place))


CONNECTORS.register("gathered", Gathered)
# --8<-- end

SAID = ["touch the red block", "put it in the bowl", "lift the blue one"]
PLANS = [parse_plan(text) for text in ("touch red block", "put red block in green bowl", "lift blue block")]
STATE = SenseConfig(PartConfig("mlp", {"size": 8, "hidden": 16}), reading="joints")
QUERIES = ("cross", "gathered", "perceiver", "qformer", "slots")


@pytest.fixture
def build(make_tiny: Callable[..., Palme]) -> Callable[..., Palme]:
    def build(name: str, **heads: PartConfig) -> Palme:
        connector = PartConfig(name, {"tokens": 5} if name in QUERIES else {})
        front = SenseConfig(PartConfig("conv", {"size_px": 64, "width": 8}), connector=connector)
        return make_tiny(senses={"front": front, "state": STATE}, heads={"plan": PartConfig("plan"), **heads})

    return build


def sample(shade: int, *commands: Command) -> Sample:
    """A picture of one shade, a little lighter to the right, and what is said."""
    rgb = np.clip(shade + np.arange(64)[None, :, None] // 4 + np.zeros((64, 64, 3)), 0, 255).astype(np.uint8)
    geometry: dict[str, Any] = {"stamp_s": 0.0, "intrinsics_px": np.eye(3), "world_from_camera": np.eye(4)}
    joints = Joints(position_rad=np.zeros(7), velocity_rad_s=np.zeros(7), gripper_width_m=0.08, stamp_s=0.0)
    readings = {"front": Picture(rgb=rgb, **geometry), "joints": joints}
    return Sample(observations=(Observation(readings=readings),), commands=commands)


@pytest.mark.parametrize("name", sorted(CONNECTORS))
@torch.no_grad()
def test_packed_commands_read_what_one_alone_reads(name: str, build: Callable[..., Palme]) -> None:
    model = build(name).eval()
    senses = [model.senses(sample(shade).observations) for shade in (20, 200)]
    commands = list(zip(SAID, PLANS, strict=True))
    # As in training: a command that a connector reads is alone in its sentence.
    shared = [[command] for command in commands] if model.reads_words else [commands]
    rows = [(each, said) for each in senses for said in shared]
    packed = model.read(model.embed([model.sentence(each, said) for each, said in rows]))
    for row, (each, said) in enumerate(rows):
        for number, command in enumerate(said):
            place = packed.sentence.places[row][number]
            alone = model.read(model.embed([model.sentence(each, [command])]))
            learnt = packed.states[row, place.start : place.end]
            torch.testing.assert_close(alone.states[0, -len(learnt) :], learnt, rtol=1e-4, atol=2e-5)
    assert (packed.of("front")[0] - packed.of("front")[-1]).abs().max() > 1e-3, "it tells pictures apart"


@pytest.mark.parametrize("name", sorted(CONNECTORS))
@torch.no_grad()
def test_it_has_a_token_for_each_cell_or_says_that_it_has_none(name: str, build: Callable[..., Palme]) -> None:
    model = build(name)
    tokens = model.embed([model.sentence(model.senses(sample(20).observations), [("go", None)])]).of("front")
    keeps = model.projectors["front"].keeps_cells
    assert (tokens.shape[1] == 16) == keeps
    if keeps:
        assert "grounding" in build(name, grounding=PartConfig("grounding")).heads
    else:
        with pytest.raises(EmbodiedError, match=f"{name!r} merges; choose affine or mlp, or another head"):
            build(name, grounding=PartConfig("grounding"))


def test_one_of_your_own_learns_is_saved_and_acts(
    build: Callable[..., Palme], learn: Callable[..., list[float]], tmp_path: Path
) -> None:
    model = build("gathered")
    right = PLANS[0], PLANS[2]
    shown = [sample(shade, Command(text="do it", plan=plan)) for shade, plan in zip((0, 200), right, strict=True)]
    falls = learn(model, shown, "plan/plan", to=0.0003)
    assert falls[-1] < 0.01 * falls[0]
    model.save_pretrained(tmp_path / "model")
    engine = Engine(Palme.from_pretrained(tmp_path / "model"))
    assert engine.model.config.senses["front"].connector.name == "gathered"
    answers = [engine.answer(engine.model.senses(each.observations), "do it").plan for each in shown]
    assert answers == list(right)
