# SPDX-License-Identifier: Apache-2.0
"""What stands in or on something is seen, and so is what it stands in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from embodied.data.sample import Command, Sample, Seen
from embodied.language.nouns import Noun
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.heads.grid import in_layers, levels_of
from embodied.model.palme import Palme

SIZE_PX = 96
PLATE, BLOCK = Noun("red", "bowl"), Noun("blue", "block")


def seen(noun: Noun, u: float, v: float, on: int | None = None) -> Seen:
    return Seen(colour=noun.colour, kind=noun.kind, u=u, v=v, on=on)


def test_things_in_layers_are_all_there_uppermost_first() -> None:
    tower = [seen(BLOCK, 0.5, 0.5, on=1), seen(BLOCK, 0.5, 0.5, on=2), seen(PLATE, 0.5, 0.5), seen(PLATE, 0.1, 0.1)]
    assert levels_of(tower) == [2, 1, 0, 0]
    assert in_layers(tower) == (tower[2:], tower[:2])


@pytest.mark.parametrize("holder", [seen(PLATE, 0.52, 0.47), seen(PLATE, 0.5, 0.5)])
def test_two_things_at_one_place_are_both_seen(make_tiny: Callable[..., Palme], holder: Seen) -> None:
    front = SenseConfig(PartConfig("conv", {"size_px": SIZE_PX, "width": 8}))
    part = PartConfig("grounding", {"sense": "front", "layered": True})
    model = make_tiny(senses={"front": front}, heads={"grounding": part})
    head, things = model.heads["grounding"], (holder, seen(BLOCK, 0.5, 0.5, on=0), seen(BLOCK, 0.1, 0.9))
    generator = torch.Generator().manual_seed(1)
    picture = torch.randint(0, 255, (SIZE_PX, SIZE_PX, 3), dtype=torch.uint8, generator=generator)
    sentences = [model.sentence({"front": picture}, [("touch it", None)])]
    sample = Sample(observations=(), commands=(Command(text="touch it"),), things=things)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(150):
        optimizer.zero_grad()
        head.loss(model.read(model.embed(sentences)), [sample])["token"].backward()
        optimizer.step()
    with torch.no_grad():
        hidden = model.eval().read(model.embed(sentences))
    found = {sight.noun: sight for sight in head.visible(hidden, head.looked(hidden).detach())}
    assert set(found) == {PLATE, BLOCK}
    assert found[BLOCK].several and not found[PLATE].several
