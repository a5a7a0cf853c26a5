# SPDX-License-Identifier: Apache-2.0
"""The two policies that look at the simulator's truth."""

from collections.abc import Mapping

import numpy as np
import pytest

from embodied.errors import EmbodiedError
from embodied.motion.actions import ActionChunk
from embodied.motion.skills import SkillCall
from embodied.policy import Policy, make_policy
from embodied.types import Instruction, Joints, Motion, ObjectState, Observation

OBJECTS = {
    f"{colour} block": ObjectState(
        name=f"{colour} block",
        kind="block",
        colour=colour,
        position_m=np.array([0.4 + 0.1 * i, 0.1 * i, 0.02]),
    )
    for i, colour in enumerate(("red", "green", "blue"))
}
RIGHT = SkillCall(skill="pick_place", points_m=np.array([[0.4, 0.0, 0.02], [0.5, 0.1, 0.06]]))


class View:
    def __init__(self, right: Motion = RIGHT, left: int = 1) -> None:
        self.right, self.left = right, left

    def objects(self) -> Mapping[str, ObjectState]:
        return OBJECTS

    def oracle(self) -> Motion:
        return self.right

    def steps_left(self) -> int:
        return self.left


def observation(view: View | None) -> Observation:
    return Observation(
        readings={
            "joints": Joints(position_rad=np.zeros(7), velocity_rad_s=np.zeros(7), gripper_width_m=0.08, stamp_s=1.5)
        },
        privileged=view,
    )


def moves(policy: Policy, count: int) -> list[SkillCall]:
    policy.reset(Instruction(text="anything"))
    found = [policy.decide(observation(View())).motion for _ in range(count)]
    assert all(isinstance(motion, SkillCall) for motion in found)
    return [motion for motion in found if isinstance(motion, SkillCall)]


def test_the_oracle_answers_with_the_solution_and_the_stamp() -> None:
    decision = make_policy("oracle").decide(observation(View()))
    assert decision.motion is RIGHT
    assert decision.observation_stamp_s == 1.5
    assert decision.done and not make_policy("oracle").decide(observation(View(left=2))).done


def test_random_makes_the_right_kind_of_motion_with_any_two_things() -> None:
    calls = moves(make_policy("random", {"seed": 3}), 60)
    places = {tuple(item.position_m[:2]) for item in OBJECTS.values()}
    pairs = set()
    for call in calls:
        assert call.skill == RIGHT.skill
        assert np.array_equal(call.points_m[:, 2], RIGHT.points_m[:, 2])
        pair = tuple(tuple(point[:2]) for point in call.points_m)
        assert set(pair) <= places
        assert pair[0] != pair[1]
        pairs.add(pair)
    assert len(pairs) == 6


def test_random_repeats_with_its_seed() -> None:
    one, two, other = (moves(make_policy("random", {"seed": seed}), 10) for seed in (1, 1, 2))
    assert all(np.array_equal(a.points_m, b.points_m) for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a.points_m, b.points_m) for a, b in zip(one, other, strict=True))


def test_random_repeats_with_the_seed_of_the_episode_whatever_came_before() -> None:
    policy = make_policy("random", {"seed": 3})

    def places(seed: int) -> list[list[list[float]]]:
        policy.reset(Instruction(text="anything"), seed)
        motions = [policy.decide(observation(View())).motion for _ in range(10)]
        return [motion.points_m.tolist() for motion in motions if isinstance(motion, SkillCall)]

    first = places(4)
    assert len(first) == 10 and first == places(4) != places(5)


def test_a_solution_that_is_no_skill_is_handed_on_or_told() -> None:
    chunk = ActionChunk(ee_delta=np.zeros((2, 7), dtype=np.float32))
    decision = make_policy("oracle").decide(observation(View(chunk)))
    assert (decision.motion, decision.text) == (chunk, "ActionChunk")
    with pytest.raises(EmbodiedError, match="puts things by chance into a skill"):
        make_policy("random").decide(observation(View(chunk)))


@pytest.mark.parametrize("name", ["oracle", "random"])
def test_on_a_real_arm_they_say_that_they_cannot(name: str) -> None:
    with pytest.raises(EmbodiedError, match="simulator"):
        make_policy(name).decide(observation(None))
