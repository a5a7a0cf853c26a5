# SPDX-License-Identifier: Apache-2.0
"""Every connector: tokens at the scale of words, learned, saved, and as many as it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from embodied.data.sample import Command, Sample
from embodied.errors import EmbodiedError
from embodied.language.verbs import parse_plan
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.connectors import CONNECTORS
from embodied.model.engine import Engine
from embodied.model.palme import Palme
from embodied.train.palme import losses
from embodied.types import Joints, Observation, Picture

NAMES = [name for name in sorted(CONNECTORS) if CONNECTORS.get(name).__module__.startswith("embodied.")]
"""Ours: a law brings one of its own."""
SQUARES = ("pool", "shuffle")
QUERIES = ("cross", "instructed", "perceiver", "qformer", "slots")
STATE = SenseConfig(PartConfig("mlp", {"size": 8, "hidden": 16}), reading="joints")


@dataclass
class Grid:
    """An encoder, as connectors know it."""

    feature_dim: int = 6
    grid: tuple[int, int] | None = (4, 6)


def options(name: str) -> dict[str, Any]:
    return {"tokens": 5} if name in QUERIES else {}


def with_connector(make_tiny: Callable[..., Palme], name: str, **heads: PartConfig) -> Palme:
    front = SenseConfig(PartConfig("conv", {"size_px": 64, "width": 8}), connector=PartConfig(name, options(name)))
    return make_tiny(senses={"front": front, "state": STATE}, heads={"plan": PartConfig("plan"), **heads})


@pytest.mark.parametrize("name", NAMES)
def test_tokens_have_the_scale_of_words_whatever_that_of_features(name: str) -> None:
    torch.manual_seed(0)
    connector = CONNECTORS.get(name)(Grid(), 32, text_scale=0.13, **options(name))
    features = 1000.0 * torch.randn(2, 24, 6)
    tokens = connector(features)
    torch.testing.assert_close(tokens.pow(2).mean(dim=-1).sqrt(), torch.full(tokens.shape[:2], 0.13), rtol=1e-3, atol=0)
    expected = 24 if connector.keeps_cells else 6 if name in SQUARES else 5
    assert tokens.shape == (2, expected, 32)


@pytest.mark.parametrize("name", NAMES)
def test_it_matters_where_on_the_grid_something_is(name: str) -> None:
    torch.manual_seed(0)
    connector = CONNECTORS.get(name)(Grid(), 32, text_scale=1.0, **options(name)).eval()
    here, there = torch.zeros(2, 1, 24, 6)
    here[:, 0], there[:, -1] = 5.0, 5.0
    away = (connector(here).sum(dim=1) - connector(there).sum(dim=1)).abs().max()
    assert away > 1e-3, "the same bag of tokens would tell nobody where"


@pytest.mark.parametrize("name", SQUARES)
def test_a_square_of_cells_is_one_token_and_its_neighbours_are_others(name: str) -> None:
    torch.manual_seed(0)
    connector = CONNECTORS.get(name)(Grid(), 32, text_scale=1.0, side=2)
    plain, changed = torch.randn(1, 24, 6), None
    for row, column, token in ((0, 0, 0), (1, 1, 0), (1, 2, 1), (2, 5, 5), (3, 0, 3)):
        changed = plain.clone()
        changed[0, 6 * row + column] += 1.0
        moved = (connector(changed) - connector(plain)).abs().amax(dim=-1)[0]
        assert moved[token] > 1e-4 and int((moved > 1e-6).sum()) == 1, (row, column)


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_what_a_picture_shows_and_is_saved(
    name: str, make_tiny: Callable[..., Palme], learn: Callable[..., list[float]], tmp_path: Path
) -> None:
    model = with_connector(make_tiny, name)
    plans = [parse_plan(text) for text in ("touch red block", "lift blue block")]
    samples = [sample(shade, plan) for shade, plan in zip((0, 255), plans, strict=True)]
    falls = learn(model, samples, "plan/plan", to=0.0003)
    assert falls[-1] < 0.01 * falls[0]
    model.save_pretrained(tmp_path / "model")
    engine = Engine(Palme.from_pretrained(tmp_path / "model"))
    assert [engine.answer(engine.model.senses(s.observations), "do it").plan for s in samples] == plans
    blind = {engine.answer(engine.model.senses(s.observations), "do it", no_vision=True).plan for s in samples}
    assert len(blind) == 1, "without the picture it cannot know"


@pytest.mark.parametrize("name", [name for name in NAMES if not CONNECTORS.get(name).keeps_cells])
def test_a_head_that_points_at_cells_refuses_a_connector_without_them(
    name: str, make_tiny: Callable[..., Palme]
) -> None:
    with pytest.raises(
        EmbodiedError, match=f"'grounding' looks at the cells of 'front'.*{name!r} merges.*affine or mlp"
    ):
        with_connector(make_tiny, name, grounding=PartConfig("grounding"))


@pytest.mark.parametrize(
    ("name", "given", "encoder", "complaint"),
    [
        ("pool", {"side": 4}, Grid(), "side must divide the encoder's 4 rows and 6 columns"),
        ("shuffle", {}, Grid(grid=None), "no grid"),
        ("shuffle", {"side": 0}, Grid(), "side must be a whole number from 1 on"),
        ("perceiver", {"heads": 3}, Grid(), "heads must divide the language model's width 32"),
        ("qformer", {"tokens": 0}, Grid(), "tokens must be a whole number from 1 on"),
        ("joint", {"heads": 3}, Grid(), "heads must divide the language model's width 32"),
        ("slots", {"rounds": 0}, Grid(), "rounds must be a whole number from 1 on"),
    ],
)
def test_options_that_fit_nothing_are_refused(name: str, given: dict[str, Any], encoder: Grid, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        CONNECTORS.get(name)(encoder, 32, text_scale=1.0, **given)


def test_queries_take_other_things_for_other_words_and_order_matters() -> None:
    torch.manual_seed(0)
    connector = CONNECTORS.get("instructed")(Grid(), 32, text_scale=0.13, tokens=5).eval()
    features, words = torch.randn(2, 24, 6), torch.randn(2, 7, 32)
    plain, told = connector(features), connector(features, words)
    assert (told - plain).abs().max() > 1e-3
    torch.testing.assert_close(told[:1], connector(features[:1], 1000 * words[:1]), msg="whatever their scale")
    assert (connector(features, words.flip(1)) - told).abs().max() > 1e-4
    told.sum().backward()
    assert all(each.grad is not None for each in connector.blocks[0].parameters())


def test_slots_share_a_picture_out_and_are_one_like_the_other_but_for_where_they_begin() -> None:
    torch.manual_seed(0)
    connector = CONNECTORS.get("slots")(Grid(), 32, text_scale=0.13, tokens=5).eval()
    features = torch.randn(2, 24, 6)
    tokens, shares = connector(features), connector.shares(features)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2, 24), msg="what one explains, no other one does")
    order = torch.tensor([3, 0, 4, 1, 2])
    connector.begin.data = connector.begin.data[order]
    torch.testing.assert_close(connector(features), tokens[:, order], rtol=1e-4, atol=1e-5)
    one = CONNECTORS.get("slots")(Grid(), 32, text_scale=0.13, tokens=1)
    torch.testing.assert_close(one.shares(features), torch.ones(2, 1, 24), msg="alone it has all of it")


def test_a_command_that_is_read_by_a_connector_is_alone_in_its_sentence(make_tiny: Callable[..., Palme]) -> None:
    torch.manual_seed(0)
    model = with_connector(make_tiny, "instructed")
    senses = model.senses(sample(100, None).observations)

    def tokens(*said: str) -> torch.Tensor:
        return model.embed([model.sentence(senses, [(text, None)]) for text in said]).of("front")

    both = tokens("lift the red block", "go")
    assert (both[0] - both[1]).abs().max() > 1e-4, "of one picture, for two commands"
    torch.testing.assert_close(both[1:], tokens("go"))
    with pytest.raises(EmbodiedError, match=r"'instructed' of 'front' reads the command, and 2 commands share"):
        model.embed([model.sentence(senses, [("go", None), ("stay", None)])])
    assert model.embed([model.sentence(senses, [])]).of("front").shape == (1, 5, 32)


def test_commands_about_one_moment_are_trained_each_in_its_own_sentence(make_tiny: Callable[..., Palme]) -> None:
    model = with_connector(make_tiny, "instructed").train()
    plans = [parse_plan(text) for text in ("touch red block", "lift blue block", "lift red block")]
    alone = [sample(100, plan) for plan in plans]
    together = replace(alone[0], commands=tuple(command for each in alone for command in each.commands))
    parts = [losses(model, given, [{} for _ in given])["plan/plan"] for given in (alone, [together])]
    torch.testing.assert_close(*parts)


def sample(shade: int, plan: Any) -> Sample:
    """A picture of one shade, and "do it"."""
    picture = Picture(
        rgb=np.full((64, 64, 3), shade, np.uint8), stamp_s=0.0, intrinsics_px=np.eye(3), world_from_camera=np.eye(4)
    )
    joints = Joints(position_rad=np.zeros(7), velocity_rad_s=np.zeros(7), gripper_width_m=0.08, stamp_s=0.0)
    observation = Observation(readings={"front": picture, "joints": joints})
    return Sample(observations=(observation,), commands=(Command(text="do it", plan=plan),))
