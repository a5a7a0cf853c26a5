# SPDX-License-Identifier: Apache-2.0
"""Pointing by location bins: what goes in comes out, between bins too, and any connector and fusion will do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from embodied.data.sample import Command, Sample, Seen
from embodied.errors import EmbodiedError
from embodied.language.verbs import parse_plan
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.engine import Engine
from embodied.model.heads.locations import Locations
from embodied.model.palme import Palme

SIZE_PX, BINS = 96, 16
PLAN = parse_plan("put red block in blue bowl")


def model_with(make_tiny: Callable[..., Palme], connector: str = "affine", **more: Any) -> Palme:
    encoder = PartConfig("conv", {"size_px": SIZE_PX, "width": 8})
    heads = {"plan": PartConfig("plan"), "where": PartConfig("locations", {"bins": BINS, "hidden": 64})}
    return make_tiny(senses={"front": SenseConfig(encoder, connector=PartConfig(connector))}, heads=heads, **more)


@pytest.fixture
def head(make_tiny: Callable[..., Palme]) -> Locations:
    found = model_with(make_tiny).heads["where"]
    assert isinstance(found, Locations)
    return found


def test_a_place_is_found_again_between_its_bins(head: Locations) -> None:
    places = torch.rand(200, 2) * (1 - 1 / BINS) + 0.5 / BINS  # further out there is no bin to share with
    shares = head.shares(places)
    torch.testing.assert_close(shares.sum(dim=-1), torch.ones(200, 2))
    found, chance = head.places(shares.clamp_min(1e-12).log())
    torch.testing.assert_close(found, places, atol=1e-4, rtol=0)
    assert (chance > 0.999).all()


def test_who_does_not_know_says_so(head: Locations) -> None:
    _, chance = head.places(torch.zeros(1, 2, BINS))
    assert float(chance) == pytest.approx((2 / BINS) ** 2)  # the likeliest is the first, and has one neighbour


def test_out_of_the_picture_is_at_its_edge(head: Locations) -> None:
    found, _ = head.places(head.shares(torch.tensor([[-3.0, 9.0]])).clamp_min(1e-12).log())
    torch.testing.assert_close(found, torch.tensor([[0.5 / BINS, 1 - 0.5 / BINS]]), atol=1e-4, rtol=0)


def test_it_learns_where_the_nouns_of_a_plan_are(make_tiny: Callable[..., Palme]) -> None:
    torch.manual_seed(0)
    model = model_with(make_tiny).train()
    things = (Seen(colour="red", kind="block", u=0.2, v=0.7), Seen(colour="blue", kind="bowl", u=0.8, v=0.3))
    sample = Sample(observations=(), commands=(Command(text="do it", plan=PLAN),), things=things)
    picture = torch.randint(0, 255, (SIZE_PX, SIZE_PX, 3), dtype=torch.uint8)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(80):
        hidden = model.read(model.embed([model.sentence({"front": picture}, [("do it", PLAN)])]))
        parts = model.heads["where"].loss(hidden, [sample])
        optimizer.zero_grad()
        parts["where"].backward()
        optimizer.step()
    answer = Engine(model.eval()).answer({"front": picture}, "do it", plan=PLAN)
    assert [sight.noun for sight in answer.sights] == list(PLAN.nouns) and answer.visible is None
    for sight, seen in zip(answer.sights, things, strict=True):
        assert sight.point == pytest.approx((seen.u, seen.v), abs=0.03) and sight.probability > 0.3


def test_what_is_not_there_and_pictures_of_which_nobody_knows_teach_nothing(make_tiny: Callable[..., Palme]) -> None:
    model = model_with(make_tiny)
    picture = torch.zeros(SIZE_PX, SIZE_PX, 3, dtype=torch.uint8)
    hidden = model.read(model.embed([model.sentence({"front": picture}, [("do it", PLAN)])]))
    for things in (None, ()):
        sample = Sample(observations=(), commands=(Command(text="do it", plan=PLAN),), things=things)
        assert model.heads["where"].loss(hidden, [sample]) == {}


@pytest.mark.parametrize("fusion", ["early", "flamingo"])
@pytest.mark.parametrize("connector", ["affine", "pool", "qformer"])
def test_any_connector_and_fusion_will_do(connector: str, fusion: str, make_tiny: Callable[..., Palme]) -> None:
    model = model_with(make_tiny, connector, fusion=PartConfig(fusion))
    answer = Engine(model).answer({"front": torch.zeros(SIZE_PX, SIZE_PX, 3, dtype=torch.uint8)}, "do it", plan=PLAN)
    assert len(answer.sights) == 2 and all(0 <= x <= 1 for sight in answer.sights for x in sight.point)


@pytest.mark.parametrize("options", [{"sense": "back"}, {"sense": "state"}, {"bins": 1}, {"hidden": 0}])
def test_a_sense_that_is_not_there_and_odd_sizes_are_refused(options: Any, make_tiny: Callable[..., Palme]) -> None:
    with pytest.raises(EmbodiedError):
        make_tiny(heads={"where": PartConfig("locations", options)})
