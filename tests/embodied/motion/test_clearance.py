# SPDX-License-Identifier: Apache-2.0
"""What the gate passes touches nothing, by the word of another; what is clear passes; an arm that touches may leave."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from embodied.arm import ArmModel, arm_model
from embodied.errors import EmbodiedError, UnreachableError
from embodied.motion import clearance
from embodied.motion.clearance import PLAN_SPARE_M, Box
from embodied.motion.hand import HandPose, Waypoint
from embodied.motion.path import TimedPath
from embodied.motion.shapes import read_solids
from embodied.motion.skills import SkillCall
from embodied.motion.trajectory import plan_motion
from embodied.safety import ActionGate
from embodied.types import Float, JointTrajectory
from tests.embodied.motion.judge import EVERYWHERE, THICKER_M, Judge, refusal, try_motions

PANDA = arm_model("panda")
ARMS = ("panda", "ur5e")
LEVEL = np.array([0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4])
FOLDED = np.array([0.0, 1.2, 0.0, -3.05, 0.0, 0.1, 0.785])
"""Of a Panda: the hand against its own upper arm, or through the table."""


def straight(model: ArmModel, start: Float, end: Float, points: int = 1, duration_s: float = 12.0) -> JointTrajectory:
    """From rest to rest, every joint evenly, through as many points on the way as are asked for."""
    share = np.arange(1, points + 1)[:, None] / points
    smooth = 3 * share**2 - 2 * share**3
    return JointTrajectory(
        joint_names=model.joint_names,
        time_s=np.append(0.5, 0.5 + duration_s * share[:, 0]),
        position_rad=np.vstack([start, start + smooth * (end - start)]),
        velocity_rad_s=np.vstack([0 * start, (6 * share - 6 * share**2) / duration_s * (end - start)]),
        gripper_width_m=np.full(points + 1, model.gripper_width_m),
    )


def told(model: ArmModel, motion: JointTrajectory) -> str:
    """What the gate says, wherever the hand may go."""
    return refusal(ActionGate(model, EVERYWHERE), motion)


def down(model: ArmModel, x: float, y: float, z: float) -> Float:
    pose = HandPose.down(np.array([x, y, z])).matrix()
    return model.chain.inverse(pose, model.home_rad, rest_rad=model.home_rad)


@pytest.mark.parametrize("name", ARMS)
def test_what_passes_touches_nothing_and_what_is_clear_passes(name: str) -> None:
    """A few of the motions of `python -m tests.embodied.motion.judge motions 1000000`."""
    found = try_motions(name, 400, seed=1)
    assert found["touches, passed"] == 0, found
    assert found["touches"] > 50 and found["passed"] > 200, found
    assert found["never nearer than 2 cm, refused"] == 0, found
    assert found["never touches, refused"] < 0.05 * found["passed"], found


@pytest.mark.parametrize("name", ARMS)
def test_no_distance_is_taken_too_large_and_few_much_too_small(name: str) -> None:
    """Of each pair of links, the fingers of which we take wherever they may be."""
    model = arm_model(name)
    judge, kept, rng = Judge(model, table=False), model.clearance, np.random.default_rng(0)
    assert kept.ignored == frozenset(), "no shapes of ours touch in any case"
    first, second = kept.pairs.T
    links = np.array([solid.link for solid in read_solids(model.urdf, model.joint_names)])
    short = []
    for q in rng.uniform(model.lower_rad, model.upper_rad, (40, model.joints)):
        place = kept.stack.place(model.chain.frames(q[None]))
        apart = kept.stack.apart_m(place, np.zeros(len(first), dtype=np.intp), first, second)
        for one, other in sorted({(str(links[a]), str(links[b])) for a, b in kept.pairs}):
            ours = apart[(links[first] == one) & (links[second] == other)].min()
            theirs = judge.between_m(one, other, q)
            assert min(ours, 1.0) < theirs + THICKER_M, (one, other, ours, theirs)
            if "finger" not in other and theirs < 0.2:
                short.append(theirs - ours)
    assert np.quantile(short, 0.9) < 0.02, np.quantile(short, [0.5, 0.9, 1.0])


@pytest.mark.parametrize("points", [1, 2, 5, 40, 255, 4000])
def test_a_refusal_names_what_and_when_however_few_points_there_are(points: int) -> None:
    """Both ends are clear; the way between is not."""
    end = LEVEL + np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5])
    assert told(PANDA, straight(PANDA, LEVEL, end, points)) == ""
    one, other = down(PANDA, 0.5, 0.3, 0.02), down(PANDA, 0.5, -0.3, 0.02)
    under = down(PANDA, 0.5, 0.0, 0.003)
    dip = straight(PANDA, one, 2 * under - one, points, 20.0)
    assert re.search(r"would touch the table at \d+\.\d\d s: all that moves stays above z = 0.000 m", told(PANDA, dip))
    assert told(PANDA, straight(PANDA, one, one + 0.2 * (other - one), points, 20.0)) == ""


def test_self_collision_is_said_with_both_links() -> None:
    model = replace(PANDA, table_m=None)
    assert "the arm would touch itself at" in told(model, straight(model, LEVEL, FOLDED))
    assert Judge(model, table=False).nearest_m(FOLDED, 0.08)[0] < 0.0


def test_a_dip_between_two_looks_is_found() -> None:
    """A cubic that leaves and returns within 60 ms; its ends stand still 5 mm above the table."""
    q = down(PANDA, 0.5, 0.0, 0.0125)
    lower = PANDA.chain.jacobian(q)
    fall = np.linalg.lstsq(lower, np.array([0.0, 0.0, -1.0, 0.0, 0.0, 0.0]), rcond=None)[0]
    motion = JointTrajectory(
        joint_names=PANDA.joint_names,
        time_s=np.array([3.0, 6.0, 6.06, 9.0]),
        position_rad=np.tile(q, (4, 1)),
        velocity_rad_s=np.stack([0 * q, 0.6 * fall, -0.6 * fall, 0 * q]),
        gripper_width_m=np.full(4, 0.08),
    )
    path = TimedPath(motion)
    times = np.linspace(6.0, 6.06, 50)
    assert PANDA.chain.positions(path.sample(times)[0])[:, 2].min() < 0.0074
    assert "touch the table at 6.0" in PANDA.clearance.refusal(path, PANDA.workspace)


def test_links_keep_out_of_boxes_wherever_the_box_is_entered() -> None:
    box = np.array([0.3, -0.1, 0.2, 0.5, 0.1, 0.3])
    model = replace(PANDA, keep_out={"camera stand": Box(box[:3], box[3:])})
    judge = Judge(model, [box])
    left, right = down(PANDA, 0.45, 0.3, 0.1), down(PANDA, 0.45, -0.3, 0.1)
    motion = straight(model, left, right)
    assert judge.along_m(motion)[0] < 0.0
    assert "would enter the keep-out box 'camera stand' at" in told(model, motion)
    assert told(PANDA, motion) == ""
    with pytest.raises(UnreachableError, match="keep-out box 'camera stand'"):
        SkillCall(skill="touch", points_m=np.array([[0.4, 0.0, 0.25]])).plan(model, left, 0.0)


def test_nothing_can_be_kept_clear_of_what_is_touched_at_home() -> None:
    hand = PANDA.home_pose[:3, 3]
    with pytest.raises(EmbodiedError, match=r"at home, panda_\w+ is in the keep-out box 'x'"):
        _ = replace(PANDA, keep_out={"x": Box(hand - 0.08, hand + 0.2)}).clearance
    with pytest.raises(EmbodiedError, match=r"at home, panda_\w+ is not above the table at 0.5 m"):
        _ = replace(PANDA, table_m=0.5).clearance


def test_an_arm_that_touches_may_leave_and_go_no_deeper() -> None:
    """Stopped with the fingers 4 mm in the table: up passes and is planned, farther down is not."""
    low, high, lower = down(PANDA, 0.5, 0.1, 0.0034), down(PANDA, 0.5, 0.1, 0.05), down(PANDA, 0.5, 0.1, 0.0014)
    assert told(PANDA, straight(PANDA, low, high)) == ""
    assert "would touch the table" in told(PANDA, straight(PANDA, low, lower))
    assert "would touch the table" in told(PANDA, straight(PANDA, high, low))
    home = SkillCall(skill="home", points_m=np.zeros((0, 3))).plan(PANDA, low, 0.08)
    assert told(PANDA, home) == ""


def test_what_a_planner_proposes_with_room_to_spare_passes_without() -> None:
    """At the lowest place that skills may go to, the fingers are half a millimetre above the table."""
    for y in np.linspace(-0.2, 0.2, 5):
        call = SkillCall(skill="push", points_m=np.array([[0.5, y, 0.008], [0.6, -y, 0.008]]))
        path = TimedPath(call.plan(PANDA, PANDA.home_rad, 0.08))
        for spare_m in (PLAN_SPARE_M, 0.5 * PLAN_SPARE_M, 0.0):
            assert PANDA.clearance.refusal(path, PANDA.workspace, spare_m) == ""


def test_where_the_straight_way_touches_the_arm_turns_home_first() -> None:
    """Between the hand and the goal stands a post; over it leads the way through home."""
    start, goal = down(PANDA, 0.5, 0.25, 0.1), HandPose.down(np.array([0.5, -0.25, 0.1]))
    model = replace(PANDA, keep_out={"post": Box(np.array([0.48, -0.02, 0.0]), np.array([0.52, 0.02, 0.12]))})
    there = Waypoint(pose=goal, gripper_width_m=0.08)
    motion = plan_motion(model, start, 0.08, [there])
    assert told(model, motion) == "" and Judge(model, [[0.48, -0.02, 0.0, 0.52, 0.02, 0.12]]).along_m(motion)[0] == 0.0
    assert np.abs(motion.position_rad - model.home_rad).max(axis=1).min() < 1e-6
    assert "post" in told(model, plan_motion(PANDA, start, 0.08, [there])), "it was in the way"


def test_a_motion_that_is_near_for_too_long_is_refused_before_it_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = SkillCall(skill="push", points_m=np.array([[0.5, 0.2, 0.008], [0.6, -0.2, 0.008]]))
    path = TimedPath(call.plan(PANDA, PANDA.home_rad, 0.08))
    monkeypatch.setattr(clearance, "_MOST_LOOKS", 100)
    assert "would touch the table at" in PANDA.clearance.refusal(path, PANDA.workspace)
