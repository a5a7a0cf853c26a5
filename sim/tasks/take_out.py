# SPDX-License-Identifier: Apache-2.0
"""take_out: one thing out of a bowl, onto the table."""

from collections.abc import Mapping
from typing import ClassVar

from sim.tasks import register
from sim.tasks.unstack import TakeAway


@register
class TakeOut(TakeAway):
    """Two bowls with a block in each."""

    name = "take_out"
    verb = "take_out"
    reference_kinds = ("bowl",)
    scene: ClassVar[Mapping[str, tuple[int, int]]] = {"block": (2, 4), "bowl": (2, 2), "zone": (0, 1)}
    foot_m = 0.011
    away_m = 0.08
