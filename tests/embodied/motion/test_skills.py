# SPDX-License-Identifier: Apache-2.0
"""Where the hand goes in each skill, with every arm."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from embodied.arm import ARMS, ArmModel, arm_model
from embodied.errors import EmbodiedError, UnknownNameError, UnreachableError
from embodied.motion.hand import HandPose, Waypoint
from embodied.motion.skills import NO_POINTS_M, SKILLS, TRAVEL_HEIGHT_M, SkillCall, register, width_to_keep
from embodied.motion.skills.hold_out import OUT_M
from embodied.motion.skills.home import Home
from embodied.motion.skills.push import CONTACT_M
from embodied.motion.skills.turn import grips

POINTS = np.array([[0.42, 0.15, 0.02], [0.58, -0.12, 0.06], [0.5, 0.0, 0.02], [0.6, 0.1, 0.03]])
LEADING_HOME = ("home", "pick", "pick_place", "pick_place_twice", "place", "push", "swap", "touch", "turn")
OURS = (*LEADING_HOME, "open", "close", "hold_out")


@pytest.fixture(params=ARMS.names())
def model(request: pytest.FixtureRequest) -> ArmModel:
    return arm_model(request.param)


def call_of(skill: str, points: np.ndarray = POINTS) -> SkillCall:
    return SkillCall(skill=skill, points_m=points[: SKILLS.get(skill).points])


def route_of(model: ArmModel, call: SkillCall, start: HandPose | None = None) -> list[Waypoint]:
    start = start or HandPose.from_matrix(model.home_pose)
    return call.waypoints(model, start, model.gripper_width_m)


@pytest.mark.parametrize("skill", LEADING_HOME)
def test_every_skill_ends_at_home(model: ArmModel, skill: str) -> None:
    last, home = route_of(model, call_of(skill))[-1].pose, HandPose.from_matrix(model.home_pose)
    assert np.array_equal(last.position_m, home.position_m)
    assert np.array_equal(last.orientation, home.orientation)
    trajectory = call_of(skill).plan(model, model.home_rad, model.gripper_width_m)
    assert np.allclose(trajectory.position_rad[-1], model.home_rad, atol=1e-9)


@pytest.mark.parametrize("skill", ["touch", "pick", "place", "pick_place", "pick_place_twice", "hold_out"])
def test_the_hand_is_low_only_at_the_places_of_the_call(model: ArmModel, skill: str) -> None:
    call = call_of(skill)
    low = [w.pose.position_m for w in route_of(model, call) if w.pose.position_m[2] < TRAVEL_HEIGHT_M]
    assert np.array_equal(np.array(low), call.points_m)


@pytest.mark.parametrize("skill", [name for name in OURS if name not in ("open", "close")])
def test_a_low_hand_rises_straight_up_first(model: ArmModel, skill: str) -> None:
    start = HandPose.down(np.array([0.5, 0.0, 0.03]), 0.2).turned(np.array([0.0, 1.0, 0.0]), 0.3)
    first = route_of(model, call_of(skill), start)[0].pose
    assert np.array_equal(first.position_m, [0.5, 0.0, TRAVEL_HEIGHT_M])
    assert np.array_equal(first.orientation, start.orientation)


def test_fingers_close_where_they_grasp_and_open_where_they_let_go(model: ArmModel) -> None:
    route = route_of(model, call_of("pick_place"))
    stops = [i for i, w in enumerate(route) if w.dwell_s > 0.0]
    high = model.held_width_m[1]
    assert route[stops[0]].gripper_width_m == 0.0
    assert route[stops[1]].gripper_width_m > high, "wide enough to let it go"
    assert high < route[stops[0] - 1].gripper_width_m <= model.gripper_width_m


@pytest.mark.parametrize("skill", ["pick", "hold_out"])
def test_what_holds_keeps_its_fingers_closed_to_the_end(model: ArmModel, skill: str) -> None:
    assert route_of(model, call_of(skill))[-1].gripper_width_m == 0.0


@pytest.mark.parametrize("skill", [name for name in OURS if name not in ("pick", "hold_out")])
def test_what_was_held_is_held_on_or_let_go_but_never_squeezed_in_between(model: ArmModel, skill: str) -> None:
    """Whatever the fingers are told in between, no skill leaves them as wide as something that is held."""
    low, high = model.held_width_m
    for width_m in np.linspace(0.0, model.gripper_width_m, 9):
        start = HandPose.from_matrix(model.home_pose)
        for stop in call_of(skill).waypoints(model, start, float(width_m)):
            assert not low < stop.gripper_width_m < high


def test_fingers_that_hold_are_told_to_press_on(model: ArmModel) -> None:
    low, high = model.held_width_m
    assert width_to_keep(model, 0.5 * (low + high)) == 0.0
    for free in (0.0, low, high, model.gripper_width_m):
        assert width_to_keep(model, free) == free
    held = call_of("home").waypoints(model, HandPose.from_matrix(model.home_pose), 0.5 * (low + high))
    assert {stop.gripper_width_m for stop in held} == {0.0}


@pytest.mark.parametrize("angle", np.linspace(-np.pi, np.pi, 9))
def test_a_push_ends_with_the_block_on_the_goal(model: ArmModel, angle: float) -> None:
    along = np.array([np.cos(angle), np.sin(angle), 0.0])
    block = np.array([0.5, 0.0, 0.02])
    route = route_of(model, SkillCall(skill="push", points_m=np.stack([block, block + 0.12 * along])))
    begin, end = [w.pose for w in route if w.pose.position_m[2] < TRAVEL_HEIGHT_M][:2]
    assert np.allclose(end.position_m + CONTACT_M * along, block + 0.12 * along)
    assert (block - begin.position_m) @ along > CONTACT_M + 0.02
    # The fingers' opening axis stands across the push.
    opening = end.matrix()[:3, 1]
    assert abs(opening @ along) < 1e-9
    assert abs(end.yaw_rad) <= np.pi / 2 + 1e-9


def test_a_push_of_no_length_is_finite(model: ArmModel) -> None:
    points = np.array([[0.5, 0.0, 0.02], [0.5, 0.0, 0.02]])
    route = route_of(model, SkillCall(skill="push", points_m=points))
    assert all(np.isfinite(w.pose.position_m).all() for w in route)


@pytest.mark.parametrize(("skill", "width_m"), [("open", 0.08), ("close", 0.0)])
def test_the_hand_stays_where_its_fingers_open_and_close(model: ArmModel, skill: str, width_m: float) -> None:
    call, there = call_of(skill), HandPose.down(np.array([0.5, 0.1, 0.2]), 0.3)
    [stop] = route_of(model, call, there)
    assert stop.pose is there and stop.gripper_width_m == width_m and stop.dwell_s > 0.0
    trajectory = call.plan(model, model.home_rad, 0.04)
    assert np.allclose(trajectory.position_rad, model.home_rad) and trajectory.gripper_width_m[-1] == width_m


def test_what_is_held_out_stays_in_front_of_home(model: ArmModel) -> None:
    trajectory = call_of("hold_out").plan(model, model.home_rad, model.gripper_width_m)
    assert np.allclose(model.chain.forward(trajectory.position_rad[-1])[:3, 3], OUT_M, atol=2e-3)
    home = SkillCall(skill="home", points_m=NO_POINTS_M).plan(model, trajectory.position_rad[-1], 0.04)
    assert np.allclose(home.position_rad[-1], model.home_rad, atol=1e-9) and not home.gripper_width_m.any()


@pytest.mark.parametrize("corner", [(0.36, -0.23), (0.36, 0.23), (0.64, -0.23), (0.64, 0.23)])
@pytest.mark.parametrize("degrees", [*range(-180, 0, 15), *range(15, 181, 15)])
def test_a_turn_is_made_in_grips_that_the_wrist_can_make(
    model: ArmModel, degrees: int, corner: tuple[float, float]
) -> None:
    place, turn = np.array([*corner, 0.02]), np.radians(degrees)
    mark = place + 0.03 * np.array([np.cos(turn), np.sin(turn), 0.0])
    call = SkillCall(skill="turn", points_m=np.stack([place, mark]))
    turned, held, last = 0.0, False, None
    for stop in route_of(model, call):
        if held and last is not None:
            turned += (stop.pose.yaw_rad - last.yaw_rad + np.pi) % (2.0 * np.pi) - np.pi
        if stop.pose.position_m[2] < TRAVEL_HEIGHT_M:
            assert np.array_equal(stop.pose.position_m[:2], corner), "in its place"
        held, last = stop.gripper_width_m == 0.0, stop.pose
    off = (turned - turn + np.pi) % (2.0 * np.pi) - np.pi
    assert abs(off) < 1e-6
    if degrees % 45 == 0:
        call.plan(model, model.home_rad, model.gripper_width_m)


def test_after_each_grip_the_hand_looks_as_it_did_to_what_it_turned() -> None:
    """Half a turn of two fingers is none: what they turned still lies between them."""
    for turn in np.radians([*range(-180, 0, 15), *range(15, 181, 15)]):
        ends = list(grips(float(turn)))
        assert len(ends) <= 2 and ends[0][0] == 0.0
        for (_, end), (begin, _) in itertools.pairwise(ends):
            assert abs(np.sin(begin - end)) < 1e-9


def test_a_place_out_of_reach_is_named_before_anything_is_planned(model: ArmModel) -> None:
    inside = np.array([0.5, 0.0, 0.02])
    for axis, value in ((0, 2.0), (1, -0.9), (2, -0.01), (2, 0.7)):
        outside = inside.copy()
        outside[axis] = value
        call = SkillCall(skill="pick_place", points_m=np.stack([inside, outside]))
        with pytest.raises(UnreachableError, match=rf"{value:.3f}.* outside of the reach"):
            call.plan(model, model.home_rad, 0.08)


def test_a_call_is_refused_where_it_is_made() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'touch'"):
        SkillCall(skill="tuch", points_m=POINTS[:1])
    for skill in OURS:
        points = SKILLS.get(skill).points
        for wrong in (np.zeros((points + 1, 3)), np.zeros((points, 2)), np.zeros(3)):
            with pytest.raises(ValueError, match=rf"{skill} takes points of shape \({points}, 3\)"):
                SkillCall(skill=skill, points_m=wrong)
        if points:
            with pytest.raises(ValueError, match="not finite"):
                SkillCall(skill=skill, points_m=np.full((points, 3), np.nan))


def test_a_name_is_taken_once() -> None:
    class Other(Home):
        pass

    with pytest.raises(EmbodiedError, match="there is a skill called 'home' already"):
        register(Other)
