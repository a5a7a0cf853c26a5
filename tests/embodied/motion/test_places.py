# SPDX-License-Identifier: Apache-2.0
"""Free places: near to what is wished, on the table, and away from all that stands there."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embodied.motion.places import NOWHERE, ROOM_M, free_place, may_stand

PLACES = st.tuples(st.floats(0.3, 0.7), st.floats(-0.3, 0.3))


def test_where_nothing_stands_the_wish_is_granted() -> None:
    wished = np.array([0.4871, 0.0333])
    assert np.array_equal(free_place(wished, NOWHERE), wished)
    assert np.array_equal(free_place(wished, wished[None] + [0.0, ROOM_M]), wished)


@given(PLACES, st.lists(PLACES, max_size=4))
def test_what_is_found_is_free_and_on_the_table(wished: tuple[float, float], taken: list[tuple[float, float]]) -> None:
    """Four things leave room on the table wherever they stand."""
    place = free_place(np.array(wished), np.reshape(taken, (-1, 2)))
    assert may_stand(place)
    assert all(np.linalg.norm(place - each) >= ROOM_M - 1e-9 for each in taken)


def test_of_all_free_places_it_is_the_nearest() -> None:
    wished = np.array([0.5, 0.0])
    assert np.linalg.norm(free_place(wished, wished[None]) - wished) < ROOM_M + 0.01


def test_on_a_full_table_it_is_the_one_with_the_most_room() -> None:
    taken = np.array([[x, y] for x in np.arange(0.3, 0.75, 0.1) for y in np.arange(-0.3, 0.35, 0.1)])
    place = free_place(np.array([0.5, 0.0]), taken)
    assert may_stand(place) and np.linalg.norm(taken - place, axis=1).min() > 0.06
