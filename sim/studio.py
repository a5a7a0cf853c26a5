# SPDX-License-Identifier: Apache-2.0
"""Pictures to be looked at, of a world that goes on as if nobody looked."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sim.world import World

SAMPLES = 2
"""Drawn pixels to one of the picture, along each side: the renderer does not smooth edges, and shrinking does."""


class Studio:
    """Draws `world` by a second one that is detailed and follows it: what is observed there stays as it is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shown = World(world.model, detailed=True)

    def picture(self, camera: str, size_px: int) -> NDArray[np.uint8]:
        """(S, S, 3) what the camera shows now."""
        self._shown.follow(self._world)
        drawn = Image.fromarray(self._shown.render(camera, SAMPLES * size_px).rgb)
        return np.array(drawn.resize((size_px, size_px), Image.Resampling.LANCZOS))

    def close(self) -> None:
        """Free the second world; closing twice is fine."""
        self._shown.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
