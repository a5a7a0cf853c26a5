# SPDX-License-Identifier: Apache-2.0
"""Actions of the environments: what is encoded is decoded, and small steps lead where the motion leads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodied.arm import ARMS, ArmModel, arm_model
from embodied.errors import UnknownNameError, UnreachableError, UnsafeCommandError
from embodied.language.verbs import CANNOT, Plan
from embodied.motion.actions import (
    EE_DELTA_NAMES,
    MAX_STEP_M,
    MAX_TURN_RAD,
    SKILL_LIST,
    ActionChunk,
    SkillActions,
    finite,
    moved,
    to_chunk,
)
from embodied.motion.hand import HandPose, turn_between
from embodied.motion.path import TimedPath
from embodied.motion.skills import APPROACH_SPEED_M_S, SKILLS, Route, Skill, SkillCall, above
from sim.env import TabletopEnv
from sim.tasks import Episode

POINTS = np.array([[0.42, 0.15, 0.02], [0.58, -0.12, 0.06]])
TILT_RAD = 0.4


class Lean(Skill):
    """A skill of the test's own: the hand leans back over a place."""

    name = "lean"
    points = 1

    def move(self, route: Route, points_m: np.ndarray) -> None:
        route.begin()
        route.add(above(points_m[0]))
        tilted = HandPose.down(points_m[0]).turned(np.array([0.0, 1.0, 0.0]), TILT_RAD)
        route.add(tilted, speed_m_s=APPROACH_SPEED_M_S, dwell_s=0.3)
        route.add(above(points_m[0]), speed_m_s=APPROACH_SPEED_M_S)


@pytest.fixture(autouse=True)
def lean(monkeypatch: pytest.MonkeyPatch) -> None:
    SKILLS.names()
    monkeypatch.setattr(SKILLS, "_parts", SKILLS._parts | {"lean": Lean()})


@pytest.fixture(params=ARMS.names())
def model(request: pytest.FixtureRequest) -> ArmModel:
    return arm_model(request.param)


def call_of(skill: str) -> SkillCall:
    return SkillCall(skill=skill, points_m=POINTS[: SKILLS.get(skill).points])


@st.composite
def calls(draw: st.DrawFn, names: tuple[str, ...] = SKILL_LIST) -> SkillCall:
    skill = draw(st.sampled_from(names))
    rows = st.lists(st.floats(-1.0, 1.0, width=32), min_size=3, max_size=3)
    points = [draw(rows) for _ in range(SKILLS.get(skill).points)]
    return SkillCall(skill=skill, points_m=np.array(points, dtype=np.float64).reshape(-1, 3))


@given(st.permutations(SKILL_LIST), st.data())
def test_a_skill_call_survives_its_action(names: list[str], data: st.DataObject) -> None:
    names = names[: data.draw(st.integers(1, len(names)))]
    actions = SkillActions(tuple(names))
    call = data.draw(calls(tuple(names)))
    action = actions.encode(call)
    assert action["points_m"].shape == (actions.points, 3) and 0 <= action["skill"] < len(names)
    assert not action["points_m"][len(call.points_m) :].any(), "unused places are zero"
    back = actions.decode(action)
    assert back.skill == call.skill and np.array_equal(back.points_m, call.points_m)


def test_what_is_no_action_is_refused() -> None:
    actions = SkillActions(("touch", "pick_place"))
    with pytest.raises(UnsafeCommandError, match="has no skill 'push'; it was made with: touch, pick_place"):
        actions.encode(call_of("push"))
    for index in (2, -1):
        with pytest.raises(UnsafeCommandError, match=f"no skill {index}; valid: 0 to 1"):
            actions.decode({"skill": index, "points_m": np.zeros((2, 3))})
    with pytest.raises(UnsafeCommandError, match="not finite"):
        actions.decode({"skill": 0, "points_m": np.full((2, 3), np.nan)})
    with pytest.raises(UnsafeCommandError, match=r"shape \(1, 3\); expected \(2, 3\)"):
        actions.decode({"skill": 0, "points_m": np.zeros((1, 3))})
    with pytest.raises(UnknownNameError, match="Did you mean 'touch'"):
        SkillActions(("tuch",))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=2, max_size=4))
def test_only_finite_numbers_of_the_right_shape_pass(values: list[float]) -> None:
    if len(values) == 3 and np.isfinite(values).all():
        assert finite(values, (3,)).tolist() == values
    else:
        with pytest.raises(UnsafeCommandError, match=r"not finite|shape"):
            finite(values, (3,))


def followed(chunk: ActionChunk, start: HandPose) -> Iterator[HandPose]:
    """The hand after each row."""
    pose = start
    for row in chunk.ee_delta.astype(np.float64):
        pose = moved(pose, row[:3], row[3:6])
        yield pose


@pytest.mark.parametrize("skill", [*SKILL_LIST, "lean"])
def test_small_steps_pass_every_stop_of_the_skill_and_end_at_home(model: ArmModel, skill: str) -> None:
    start = HandPose.down(np.array([0.45, 0.1, 0.1]), 0.3)
    call = call_of(skill)
    chunk = to_chunk(model, call, start, 0.08)
    rows = chunk.ee_delta.astype(np.float64)
    assert rows.shape[1] == len(EE_DELTA_NAMES)
    assert np.abs(rows[:, :3]).max() <= MAX_STEP_M
    assert np.linalg.norm(rows[:, 3:6], axis=1).max() <= MAX_TURN_RAD + 1e-6
    assert np.abs(rows[:, 6]).max() <= 1.0
    way = list(followed(chunk, start))
    for stop in call.waypoints(model, start, 0.08):
        assert any(
            np.linalg.norm(pose.position_m - stop.pose.position_m) < 1e-4
            and turn_between(pose.orientation, stop.pose.orientation) < 1e-3
            for pose in (start, *way)
        ), stop
    home = HandPose.from_matrix(model.home_pose)
    assert np.allclose(way[-1].position_m, home.position_m, atol=1e-4)
    assert turn_between(way[-1].orientation, home.orientation) < 1e-3


@pytest.mark.parametrize("name", ARMS.names())
@pytest.mark.parametrize("skill", ["touch", "pick_place", "push", "lean"])
def test_small_steps_in_the_environment_arrive_where_the_planned_motion_arrives(name: str, skill: str) -> None:
    """The lowest place, the tilt there, and home: in physics as in the plan."""
    env = TabletopEnv("refuse", arm=name, action_mode="ee_delta", senses=())
    bare = Episode(task="refuse", split="seen", objects=(), instruction="wait", plan=Plan(verb=CANNOT))
    env.reset(seed=0, options={"episode": bare})
    model = env.model
    call = call_of(skill)
    planned = call.plan(model, model.home_rad, 0.08)
    wanted = [HandPose.from_matrix(model.chain.forward(q)) for q in planned.position_rad]
    seen: list[HandPose] = []
    for action in to_chunk(model, call, HandPose.from_matrix(model.home_pose), 0.08).ee_delta:
        _, _, _, _, info = env.step(action)
        assert "refused" not in info
        seen.append(HandPose.from_matrix(model.chain.forward(env.observe().joints.position_rad)))
    env.close()

    def lowest(way: list[HandPose]) -> HandPose:
        return min(way, key=lambda pose: pose.position_m[2])

    assert np.abs(lowest(seen).position_m[2] - lowest(wanted).position_m[2]) < 0.004
    for point in call.points_m if skill != "push" else ():
        near = min(seen, key=lambda pose: float(np.linalg.norm(pose.position_m - point)))
        assert np.linalg.norm(near.position_m - point) < 0.006
        if skill == "lean":
            assert np.arccos(-near.matrix()[2, 2]) == pytest.approx(TILT_RAD, abs=0.03)
    assert np.allclose(seen[-1].position_m, wanted[-1].position_m, atol=0.006)
    assert turn_between(seen[-1].orientation, wanted[-1].orientation) < 0.03


@st.composite
def chunks(draw: st.DrawFn) -> ActionChunk:
    count = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    low, high = np.array([-0.03] * 3 + [-0.08] * 3 + [-1.0]), np.array([0.03] * 3 + [0.08] * 3 + [1.0])
    return ActionChunk(ee_delta=rng.uniform(low, high, (count, 7)).astype(np.float32))


@given(chunks(), st.sampled_from(ARMS.names()))
@settings(max_examples=30, deadline=None)
def test_a_planned_chunk_is_within_the_limits_and_ends_where_its_steps_lead(chunk: ActionChunk, name: str) -> None:
    model = arm_model(name)
    try:
        trajectory = chunk.plan(model, model.home_rad, 0.08)
    except UnreachableError:
        return  # near the edge of what it reaches
    path = TimedPath(trajectory)
    low, high = path.peak_position_rad()
    assert (low >= model.lower_rad - 1e-3).all() and (high <= model.upper_rad + 1e-3).all()
    assert (path.peak_velocity_rad_s() <= model.max_velocity_rad_s).all()
    assert (path.peak_acceleration_rad_s2() <= model.max_acceleration_rad_s2).all()
    assert np.abs(trajectory.velocity_rad_s[-1]).max() < 1e-9
    assert (np.diff(trajectory.time_s, prepend=0.0) > 0.0).all()
    end = HandPose.from_matrix(model.chain.forward(trajectory.position_rad[-1]))
    wanted = list(followed(chunk, HandPose.from_matrix(model.home_pose)))[-1]
    assert (end.position_m > model.reach_lower_m - 1e-3).all()
    assert (end.position_m < model.reach_upper_m + 1e-3).all()
    on_the_way = [pose.position_m for pose in followed(chunk, HandPose.from_matrix(model.home_pose))]
    inside = (np.array(on_the_way) >= model.reach_lower_m) & (np.array(on_the_way) <= model.reach_upper_m)
    if inside.all():  # what leads out of reach leads to its edge
        assert np.linalg.norm(end.position_m - wanted.position_m) < 1e-3
    # A hand that is hardly tilted is straightened.
    assert turn_between(end.orientation, wanted.orientation) < 0.022
    told = 0.5 * (float(chunk.ee_delta[-1, 6]) + 1.0) * model.gripper_width_m
    assert trajectory.gripper_width_m[-1] == pytest.approx(told)


@pytest.mark.parametrize("begins_s", [0.0, 0.2, 0.45])
def test_fingers_move_with_the_hand_in_a_row_that_moves_it(model: ArmModel, begins_s: float) -> None:
    """In the third of six steps to the side they close; an arm that is on its way there or past it goes on."""
    rows = np.zeros((6, 7), dtype=np.float32)
    rows[:, 1] = 0.02
    rows[:2, 6], rows[2:, 6] = 1.0, -1.0
    chunk, start = ActionChunk(ee_delta=rows), model.at_home
    whole = TimedPath(chunk.plan(model, start.position_rad, start.gripper_width_m))
    if begins_s:
        [position], [velocity] = whole.sample(np.array([begins_s]))
        told = replace(
            start,
            position_rad=position,
            velocity_rad_s=velocity,
            gripper_width_m=whole.gripper_width_at(begins_s),
        )
        path = TimedPath(chunk.plan_moving(model, start, told))
    else:
        path = whole
    side_m = model.chain.positions(path.position_rad)[:, 1]
    closed = side_m[np.flatnonzero(path.gripper_width_m < 0.01)[0]]
    begun = model.chain.positions(path.position_rad[:1])[0, 1]
    # When it has passed the rounded corner there, if there were one.
    assert max(0.04, begun) - 1e-3 < closed < max(0.04, begun) + 0.025
    moving = (side_m > side_m[0] + 0.005) & (side_m < 0.11)
    assert np.linalg.norm(path.velocity_rad_s[moving], axis=1).min() > 0.05


def test_a_chunk_of_rest_is_a_motion_that_stays(model: ArmModel) -> None:
    for rows in (0, 3):
        chunk = ActionChunk(ee_delta=np.zeros((rows, 7), dtype=np.float32))
        trajectory = chunk.plan(model, model.home_rad, 0.5 * model.gripper_width_m)
        assert np.allclose(trajectory.position_rad, model.home_rad)
        assert trajectory.gripper_width_m[-1] == pytest.approx(0.5 * model.gripper_width_m)
        assert trajectory.time_s[-1] < 1.0


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros((3, 5)), r"shape \(3, 5\)"),
        (np.zeros(7), r"shape \(7,\)"),
        (np.full((2, 7), np.nan), "not finite"),
        (np.array([[0, 0, np.inf, 0, 0, 0, 1.0]]), "not finite"),
    ],
)
def test_a_chunk_of_other_numbers_is_refused(rows: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ActionChunk(ee_delta=rows.astype(np.float32))
