# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on purpose: once, to something that matters, and the same for the same seed."""

from __future__ import annotations

import pytest

from embodied.controls import Policies
from embodied.environments import make_environment
from embodied.episode import run_episode
from embodied.errors import UnknownNameError
from sim.disturbance import DISTURBANCES, MOVED, SLIPS

SEED = 600_000


@pytest.mark.parametrize("kind", DISTURBANCES)
def test_who_looks_again_still_gets_there(kind: str) -> None:
    """The oracle does, with at least one motion more where something slipped."""
    steps = {}
    for disturbance in ("", kind):
        env = make_environment("all_in", action_mode="skill", senses=(), disturbance=disturbance)
        try:
            result = run_episode(env, Policies("oracle", {}), task="all_in", split="seen", seed=SEED, until="done")
        finally:
            env.close()
        assert result.success and not result.wrong, result
        steps[disturbance] = result.steps
    assert steps[kind] > steps[""] or kind == MOVED


def test_it_happens_once_and_to_the_same_thing_again() -> None:
    places = []
    for _ in range(2):
        env = make_environment("two_acts", action_mode="skill", senses=(), disturbance=MOVED).unwrapped
        try:
            env.reset(seed=SEED)
            before = env.objects()
            env.arm.execute(env.oracle())
            undisturbed = env.objects()
            env.reset(seed=SEED)
            env.step(env.skills.encode(env.oracle()))
            first = env.objects()
            second_target = str(env.episode.steps[1].target)
            assert before[second_target].position_m == pytest.approx(undisturbed[second_target].position_m, abs=0.01)
            places.append(first[second_target].position_m.tolist())
            assert first[second_target].position_m != pytest.approx(before[second_target].position_m, abs=0.02)
        finally:
            env.close()
    assert places[0] == places[1]


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=f"Valid: {MOVED}, {SLIPS}"):
        make_environment("two_acts", disturbance="stolen")
