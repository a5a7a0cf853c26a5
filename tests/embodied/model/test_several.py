# SPDX-License-Identifier: Apache-2.0
"""What the pointer sees several of: a name in cells that lie too far apart to be those around one middle."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.palme import Palme

SIZE_PX = 96


@pytest.mark.parametrize(
    ("places", "several"),
    [
        ([(0, 0)], False),
        ([(2, 3), (2, 4), (3, 3), (3, 4)], False),
        ([(1, 1), (1, 3)], True),
        ([(0, 2), (1, 2), (2, 2)], True),
        ([(0, 5), (5, 0)], True),
        ([(1, 5), (2, 0)], True),
    ],
)
def test_cells_of_one_name(make_tiny: Callable[..., Palme], places: list[tuple[int, int]], several: bool) -> None:
    front = SenseConfig(PartConfig("conv", {"size_px": SIZE_PX, "width": 8}))
    model = make_tiny(senses={"front": front}, heads={"grounding": PartConfig("grounding", {"sense": "front"})})
    head = model.heads["grounding"]
    rows, columns = head.grid
    assert (rows, columns) == (6, 6)
    picture = torch.zeros(SIZE_PX, SIZE_PX, 3, dtype=torch.uint8)
    hidden = model.read(model.embed([model.sentence({"front": picture}, [("touch it", None)])]))
    named = torch.zeros(rows * columns, len(head.things))
    named[[row * columns + column for row, column in places], 3] = 0.9
    named[0, 5] = 0.4  # nothing that is sure
    [sight] = head.visible(hidden, named)
    assert (sight.noun, sight.several) == (head.things[3], several)
