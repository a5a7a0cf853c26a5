# SPDX-License-Identifier: Apache-2.0
"""Paint that has no name: what kind a thing is can still be told, so that kinds are not learned colour by colour."""

import colorsys

import numpy as np

from embodied.language.nouns import Noun
from embodied.language.vocabulary import COLOURS
from embodied.types import ObjectState
from sim import scene
from sim.tasks.scenes import HELD_OUT_THINGS

UNNAMED_APART = 0.4
"""How far a colour without a name is from each that has one: the sum over red, green and blue, each up to 1."""


def without_names(objects: tuple[ObjectState, ...], rng: np.random.Generator) -> dict[str, tuple[float, float, float]]:
    """Colours without a name for one or two objects; none that comes near a held-out thing's."""
    painted: dict[str, tuple[float, float, float]] = {}
    for i in rng.permutation(len(objects))[: rng.integers(1, 3)]:
        while True:
            rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 1.0), rng.uniform(0.1, 1.0))
            nearest = min(COLOURS, key=lambda name: float(np.abs(np.subtract(scene.RGB[name], rgb)).sum()))
            apart = min(float(np.abs(np.subtract(each, rgb)).sum()) for each in scene.RGB.values())
            if apart > UNNAMED_APART and Noun(nearest, objects[i].kind) not in HELD_OUT_THINGS:
                break
        painted[objects[i].name] = rgb
    return painted
