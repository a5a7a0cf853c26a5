# SPDX-License-Identifier: Apache-2.0
"""What is really sent keeps every limit and touches nothing, for motions at the edge of what passes."""

import pytest

from tests.embodied.streamed import try_motions

COUNTS = ("impossible", "passed", "refused", "streamed")


@pytest.mark.parametrize("name", ["panda", "ur5e"])
def test_what_is_sent_of_a_motion_that_passes_is_within_every_limit(name: str) -> None:
    """As `python -m tests.embodied.streamed 1000000 20000` does."""
    results = try_motions(name, 480, 60, seed=1)
    assert results["streamed"] == 60
    assert results["refused"] > 60
    wrong = {what: count for what, count in results.items() if what not in COUNTS}
    assert wrong == {}


@pytest.mark.parametrize(("name", "seed"), [("panda", 11), ("ur5e", 50)])
def test_a_piece_begins_on_the_curve_that_was_sent(name: str, seed: int) -> None:
    """One in ten thousand of these: between its points a piece is a little off the path, and the next begins there."""
    results = try_motions(name, 260, 100, seed)
    assert {what: count for what, count in results.items() if what not in COUNTS} == {}


def test_a_motion_that_could_not_be_stopped_after_its_first_piece_is_led_more_slowly() -> None:
    """One in three thousand of these: with the clock at three times its pace the first piece is long."""
    results = try_motions("ur5e", 240, 100, seed=9)
    assert {what: count for what, count in results.items() if what not in COUNTS} == {}
