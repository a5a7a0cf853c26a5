# SPDX-License-Identifier: Apache-2.0
"""Motion that nobody ordered is seen for as long as it lasts, and ordered motion is not."""

import numpy as np

from embodied.arm import arm_model
from embodied.safety import RestWatch
from embodied.types import Float

PANDA = arm_model("panda")
HOME = PANDA.home_rad
STILL = np.zeros(7)
STEP_S = 0.01


def watch() -> RestWatch:
    return RestWatch(PANDA, 0.1)


def turning(rad_s: float, time_s: float) -> tuple[Float, Float]:
    first = np.eye(7)[0]
    return HOME + rad_s * time_s * first, rad_s * first


def test_an_arm_that_somebody_moves_is_seen_all_the_while_and_half_a_second_more() -> None:
    rest, seen = watch(), 0
    rest.moves(HOME, STILL, 0.0)
    for k in range(1, 801):
        seen += rest.moves(*turning(0.5, STEP_S * k), STEP_S * k)
    assert seen >= 795
    assert "panda_joint1 moves at 0.50 rad/s" in rest.complaint(8.0)
    place = turning(0.5, 8.0)[0]
    assert not rest.moves(place, STILL, 8.1)
    assert rest.complaint(8.4)
    assert rest.complaint(8.6) == ""


def test_creeping_tells_by_the_distance_again_and_again() -> None:
    rest = watch()
    rest.moves(HOME, STILL, 0.0)
    seen = 0
    for k in range(1, 501):
        if rest.moves(*turning(0.05, STEP_S * k), STEP_S * k):
            seen += 1
            assert "rad from where it rested" in rest.complaint(STEP_S * k)
    assert seen == 4


def test_what_was_ordered_is_none_of_it_until_it_has_settled() -> None:
    rest = watch()
    rest.moves(HOME, STILL, 0.0)
    rest.ordered(1.0)
    assert rest.brakes(1.2) and not rest.brakes(1.4)
    for k in range(1, 100):
        assert not rest.moves(*turning(1.0, STEP_S * k), STEP_S * k)
    for k in range(100, 200):
        assert not rest.moves(turning(1.0, 1.0)[0], STILL, STEP_S * k)
    assert rest.complaint(2.0) == ""


def test_a_simulator_that_puts_the_arm_elsewhere_has_not_moved_it() -> None:
    rest = watch()
    rest.moves(HOME, STILL, 0.0)
    assert not rest.moves(HOME + 0.8, STILL, STEP_S)
    assert not rest.moves(HOME + 0.8, STILL, 2 * STEP_S)
    assert rest.complaint(2 * STEP_S) == ""
