# SPDX-License-Identifier: Apache-2.0
"""Where on the table things may stand, and where nothing does."""

import numpy as np

from embodied.types import Float

STANDING_M = ((0.36, 0.64), (-0.23, 0.23))
"""x and y range of the centres of things: in view of the front camera, and within reach."""
MARGIN_M = 0.03
"""Things may be put down this far outside of it."""
ROOM_M = 0.13
"""From the centre of a block to that of whatever it is put down beside: a bowl, with room for the fingers."""
NOWHERE: Float = np.zeros((0, 2))
"""The places of no things."""
_GRID_M = 0.01


def free_place(wished_m: Float, taken_m: Float) -> Float:
    """(2,) the place nearest to a wished one (2,) that is ROOM_M away from all that is taken (M, 2).

    Where there is none, the one that is farthest away from them.
    """
    if room_m(wished_m[None], taken_m)[0] >= ROOM_M and may_stand(wished_m):
        return wished_m
    axes = [np.arange(low - MARGIN_M, high + MARGIN_M + 1e-9, _GRID_M) for low, high in STANDING_M]
    places = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    room = np.minimum(room_m(places, taken_m), ROOM_M)
    far = np.linalg.norm(places - wished_m, axis=1)
    best: Float = places[np.lexsort((far, -room))[0]]
    return best


def may_stand(place_m: Float) -> bool:
    """Whether something may be put down at (2,)."""
    low, high = np.array(STANDING_M).T
    return bool((place_m >= low - MARGIN_M - 1e-9).all() and (place_m <= high + MARGIN_M + 1e-9).all())


def room_m(places_m: Float, taken_m: Float) -> Float:
    """(N,) how far places (N, 2) are from the nearest of what is taken (M, 2); infinite where nothing is."""
    away = np.linalg.norm(places_m[:, None] - taken_m[None], axis=2)
    return np.asarray(away.min(axis=1, initial=np.inf))
