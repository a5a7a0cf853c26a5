# SPDX-License-Identifier: Apache-2.0
"""What a table may be covered with: pictures (H, W, 3) uint8 of its whole top, made from a seed.

Two families that share no pattern: `TRAINED` is drawn from in training, `TEXTURES` have names and are for evaluation,
so that a texture that is measured was never trained on. None has the strong colours of things.
"""

import colorsys
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from embodied.things import Triple
from embodied.types import Float
from sim.scene import TABLE_X_M, TABLE_Y_M

Texture = NDArray[np.uint8]

TEXEL_M = 0.004
SHAPE = (round((TABLE_X_M[1] - TABLE_X_M[0]) / TEXEL_M), round((TABLE_Y_M[1] - TABLE_Y_M[0]) / TEXEL_M))
"""Texels along x and along y of a texture that covers the table."""

_X, _Y = np.meshgrid(*(TEXEL_M * np.arange(count) for count in SHAPE), indexing="ij")  # m from its corner

COLOURS: Mapping[str, Triple] = {
    "white": (0.97, 0.97, 0.96),
    "grey": (0.50, 0.50, 0.51),
    "brown": (0.42, 0.29, 0.19),
    "black": (0.06, 0.06, 0.07),
}
"""Tables of one colour."""


def plain(rgb: Triple) -> Texture:
    """One texel (1, 1, 3), which is enough for all of the table."""
    return np.array([[[round(255 * value) for value in rgb]]], dtype=np.uint8)


def _noise(rng: np.random.Generator, cell_m: tuple[float, float], octaves: int = 4) -> Float:
    """(H, W) smooth noise from 0 to 1, whose largest bumps are as wide as `cell_m`."""
    total = np.zeros(SHAPE)
    for octave in range(octaves):
        ways = [TEXEL_M * np.arange(n) * 2**octave / cell for n, cell in zip(SHAPE, cell_m, strict=True)]
        bumps = rng.random([int(way[-1]) + 2 for way in ways])
        for way in ways:  # along one axis, then along the other
            whole = way.astype(int)
            share = (way - whole)[:, None]
            bumps = (bumps[whole] * (1.0 - share) + bumps[whole + 1] * share).T
        total += 0.5**octave * bumps
    return (total - total.min()) / np.ptp(total)


def _mixed(first: Triple, second: Triple, share: Float) -> Texture:
    """From the first colour where `share` (H, W) is 0 to the second where it is 1."""
    share = np.clip(share, 0.0, 1.0)[..., None]
    return np.round(255.0 * (np.array(first) * (1.0 - share) + np.array(second) * share)).astype(np.uint8)


def _wood(rng: np.random.Generator) -> Texture:
    """Boards along x, each with a tone and a grain of its own."""
    board = (_Y / rng.uniform(0.09, 0.16)).astype(int)
    tones = rng.uniform(-0.2, 0.2, board.max() + 1)[board]
    rings = np.sin(90.0 * _Y + 14.0 * _noise(rng, (0.6, 0.06)) + 5.0 * board)
    joints = np.diff(board, axis=1, prepend=board[:, :1]) > 0
    grain = 0.45 + 0.25 * rings + 0.3 * (_noise(rng, (0.3, 0.012), 2) - 0.5) + tones
    return _mixed((0.76, 0.57, 0.37), (0.40, 0.25, 0.13), grain + joints)


def _marble(rng: np.random.Generator) -> Texture:
    """White stone with dark veins."""
    angle = rng.uniform(0.0, np.pi)
    way = (np.cos(angle) * _X + np.sin(angle) * _Y) / 0.35
    veins = 1.0 - np.abs(np.sin(np.pi * way + 7.0 * _noise(rng, (0.4, 0.4), 5)))
    return _mixed((0.93, 0.93, 0.91), (0.33, 0.34, 0.37), veins**5 + 0.2 * _noise(rng, (0.3, 0.3)))


def _cloth(rng: np.random.Generator) -> Texture:
    """Woven, with broad bands that cross."""
    ground, band = [((0.85, 0.83, 0.78), (0.35, 0.40, 0.50)), ((0.30, 0.34, 0.30), (0.62, 0.60, 0.52))][rng.integers(2)]
    period, shift = rng.uniform(0.08, 0.14), rng.random(2)
    bands = sum(0.5 * ((way / period + begin) % 1.0 < 0.4) for way, begin in zip((_X, _Y), shift, strict=True))
    weave = (np.arange(SHAPE[0])[:, None] + np.arange(SHAPE[1])) % 2
    return _mixed(ground, band, 0.85 * bands + 0.15 * weave)


def _checks(rng: np.random.Generator) -> Texture:
    """A board of squares, light and dark."""
    light, dark = [((0.92, 0.92, 0.90), (0.25, 0.25, 0.27)), ((0.86, 0.78, 0.64), (0.42, 0.28, 0.18))][rng.integers(2)]
    side, shift = rng.uniform(0.05, 0.09), rng.random(2)
    square = (_X / side + shift[0]).astype(int) + (_Y / side + shift[1]).astype(int)
    return _mixed(light, dark, (square % 2).astype(np.float64))


def _granite(rng: np.random.Generator) -> Texture:
    """Grains of black, grey and white."""
    grains = rng.choice([0.0, 0.5, 1.0], size=SHAPE, p=[0.3, 0.5, 0.2])
    return _mixed((0.80, 0.79, 0.78), (0.12, 0.12, 0.13), 0.7 * grains + 0.3 * _noise(rng, (0.05, 0.05), 2))


TEXTURES: Mapping[str, Callable[[np.random.Generator], Texture]] = {
    "wood": _wood,
    "marble": _marble,
    "cloth": _cloth,
    "checks": _checks,
    "granite": _granite,
}
"""Of evaluation, by name."""


def _dull(rng: np.random.Generator) -> Triple:
    """Any colour that a table has: from white to black, half of them with hardly any hue."""
    most = 0.08 if rng.random() < 0.5 else 0.5
    return colorsys.hsv_to_rgb(rng.random(), most * rng.random(), rng.uniform(0.03, 1.0))


def _one_colour(rng: np.random.Generator) -> Texture:
    return plain(_dull(rng))


def _clouds(rng: np.random.Generator) -> Texture:
    cells = rng.uniform(0.02, 0.5, 2)
    return _mixed(_dull(rng), _dull(rng), _noise(rng, (float(cells[0]), float(cells[1])), int(rng.integers(1, 5))))


def _stripes(rng: np.random.Generator) -> Texture:
    """Of one direction, with edges from soft to sharp."""
    angle, period = rng.uniform(0.0, np.pi), rng.uniform(0.02, 0.2)
    wave = np.sin(2.0 * np.pi * (np.cos(angle) * _X + np.sin(angle) * _Y) / period)
    return _mixed(_dull(rng), _dull(rng), 0.5 + rng.uniform(0.5, 4.0) * wave)


def _dots(rng: np.random.Generator) -> Texture:
    """One in each cell of a grid, somewhere in it."""
    cell = rng.uniform(0.02, 0.1)
    rows, columns = (_X / cell).astype(int), (_Y / cell).astype(int)
    count = (rows.max() + 1, columns.max() + 1)
    radius = rng.uniform(0.05, 0.3, count)[rows, columns]
    x, y = (rng.uniform(0.3, 0.7, count)[rows, columns] for _ in range(2))
    inside = np.hypot(_X / cell - rows - x, _Y / cell - columns - y) < radius
    return _mixed(_dull(rng), _dull(rng), inside.astype(np.float64))


def _wash(rng: np.random.Generator) -> Texture:
    """From one colour to another over the table, as under a window."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    way = np.cos(angle) * (_X / _X.max() - 0.5) + np.sin(angle) * (_Y / _Y.max() - 0.5)
    return _mixed(_dull(rng), _dull(rng), 0.5 + way + 0.2 * (_noise(rng, (0.1, 0.1)) - 0.5))


TRAINED = (_one_colour, _one_colour, _clouds, _stripes, _dots, _wash)
"""Of training; one colour is as likely as two of the others."""


def any_texture(rng: np.random.Generator) -> Texture:
    """One of training's."""
    return TRAINED[rng.integers(len(TRAINED))](rng)
