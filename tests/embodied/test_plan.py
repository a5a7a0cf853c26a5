# SPDX-License-Identifier: Apache-2.0
"""Plans: text and back, and motions that reach what was pointed at."""

import numpy as np
import pytest

from embodied.plan import RELATION_OFFSETS, all_plans, ground, parse_plan, relation_distance_m


def test_every_plan_reads_back_from_its_text_and_no_two_share_one():
    plans = list(all_plans())
    assert len({plan.text() for plan in plans}) == len(plans)
    assert all(parse_plan(plan.text()) == plan for plan in plans)


@pytest.mark.parametrize(
    "text", ["", "put red block", "put red block in green block", "dance", "touch red block now"]
)
def test_other_text_is_no_plan(text: str):
    with pytest.raises(ValueError, match="not a plan"):
        parse_plan(text)


def test_motions_start_at_the_target_and_end_by_the_reference():
    points = np.array([[0.4, -0.1], [0.55, 0.12]])
    for plan in all_plans():
        if plan.refused:
            continue
        call = ground(plan, points[: len(plan.things)])
        assert np.array_equal(call.points_m[0, :2], points[0])
        if plan.relation is not None:
            step = call.points_m[1, :2] - points[1]
            assert np.linalg.norm(step) == pytest.approx(relation_distance_m(plan.reference))
            assert step @ np.array(RELATION_OFFSETS[plan.relation]) == pytest.approx(np.linalg.norm(step))
        elif len(plan.things) == 2:
            assert np.array_equal(call.points_m[1, :2], points[1])
