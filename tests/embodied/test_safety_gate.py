# SPDX-License-Identifier: Apache-2.0
"""What the gate lets through, and what it says to the rest."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from embodied.arm import arm_model
from embodied.errors import UnreachableError, UnsafeCommandError
from embodied.judge import Sent, followed, shares
from embodied.motion.path import TimedPath
from embodied.motion.skills import SkillCall
from embodied.safety import ActionGate, ArmState, GateLimits, Streamer
from embodied.safety.splice import Seam, meeting_s
from embodied.types import Float, JointTrajectory

PANDA = arm_model("panda")
HOME = PANDA.home_rad
EVERYWHERE = GateLimits(workspace_lower_m=np.full(3, -3.0), workspace_upper_m=np.full(3, 3.0))
AT_HOME = ArmState(position_rad=HOME, velocity_rad_s=np.zeros(7), age_s=0.01)


def gate() -> ActionGate:
    return ActionGate(PANDA)


def check(trajectory: JointTrajectory, arm: ArmState = AT_HOME, age_s: float = 0.1) -> JointTrajectory:
    return gate().check(trajectory, arm=arm, proposal_age_s=age_s)


def sway(joint: int = 0, reach_rad: float = 0.3, duration_s: float = 2.0, points: int = 40) -> JointTrajectory:
    """From home and back: half a cosine out, half a cosine home."""
    time_s = np.arange(1, points + 1) * (duration_s / points)
    position = np.tile(HOME, (points, 1))
    velocity = np.zeros((points, 7))
    phase = 2 * np.pi * time_s / duration_s
    position[:, joint] += 0.5 * reach_rad * (1 - np.cos(phase))
    velocity[:, joint] = 0.5 * reach_rad * np.sin(phase) * 2 * np.pi / duration_s
    return JointTrajectory(
        joint_names=PANDA.joint_names,
        time_s=time_s,
        position_rad=position,
        velocity_rad_s=velocity,
        gripper_width_m=np.full(points, 0.08),
    )


def test_a_sound_motion_passes_unchanged() -> None:
    motion = sway()
    passed = check(motion)
    np.testing.assert_array_equal(passed.position_rad, motion.position_rad)
    np.testing.assert_array_equal(passed.time_s, motion.time_s)


@pytest.mark.parametrize("skill", ["touch", "pick", "pick_place", "push"])
def test_planned_skills_pass(skill: str) -> None:
    points = np.array([[0.5, 0.1, 0.02], [0.45, -0.15, 0.02]])[: 1 if skill in ("touch", "pick") else 2]
    motion = SkillCall(skill=skill, points_m=points).plan(PANDA, HOME, 0.08)
    assert check(motion).time_s.size == motion.time_s.size


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda m: replace(m, joint_names=m.joint_names[:6]), "this arm has"),
        (lambda m: replace(m, joint_names=m.joint_names[::-1]), "this arm has"),
        (lambda m: replace(m, position_rad=m.position_rad[:, :6]), "position_rad has shape"),
        (lambda m: replace(m, gripper_width_m=m.gripper_width_m[1:]), "gripper_width_m has shape"),
        (lambda m: replace(m, time_s=m.time_s[::-1].copy()), "time must increase"),
        (lambda m: replace(m, time_s=m.time_s - m.time_s[0]), "time must increase"),
        (lambda m: replace(m, time_s=m.time_s * 100), "lasts 200.0 s, at most 60.0 s"),
        (lambda m: replace(m, time_s=np.zeros(0)), "0 points"),
        (lambda m: replace(m, position_rad=m.position_rad + 0.2), "rad from where the arm is"),
        (lambda m: replace(m, gripper_width_m=m.gripper_width_m + 0.01), "10.0 mm outside of 0 to 80.0 mm"),
        (lambda m: replace(m, velocity_rad_s=m.velocity_rad_s + 0.01), "a motion ends at rest"),
        (
            lambda m: replace(m, time_s=m.time_s * 0.2, velocity_rad_s=m.velocity_rad_s * 5),
            "velocity of panda_joint1",
        ),
        (lambda m: replace(m, velocity_rad_s=m.velocity_rad_s * -1), "acceleration of panda_joint1"),
    ],
)
def test_a_refusal_says_what_is_wrong(spoil, words: str) -> None:
    with pytest.raises(UnsafeCommandError) as refusal:
        check(spoil(sway()))
    assert words in str(refusal.value)


def test_a_refusal_names_the_joint_the_limit_and_the_amount() -> None:
    with pytest.raises(UnsafeCommandError, match=r"position of panda_joint4: 0\.3\d+ rad beyond its limit"):
        check(sway(joint=3, reach_rad=PANDA.upper_rad[3] - HOME[3] + 0.35, duration_s=20))


def test_the_hand_stays_in_the_workspace() -> None:
    with pytest.raises(UnsafeCommandError, match=r"the hand leaves the workspace at \d\.\d\d s: x = "):
        check(sway(joint=0, reach_rad=2.5, duration_s=8))


def test_a_workspace_that_is_given_goes_before_that_of_the_arm() -> None:
    narrow = GateLimits(workspace_upper_m=np.array([0.85, 0.05, 0.9]))
    with pytest.raises(UnsafeCommandError, match=r"y = 0\.0\d+ m, allowed -0\.600 to 0\.050 m"):
        ActionGate(PANDA, narrow).check(sway(), arm=AT_HOME, proposal_age_s=0.1)


def test_an_arm_with_fewer_joints_has_a_gate_too() -> None:
    """The limits, the number of joints and their names are those of the model."""
    chain = PANDA.chain
    short = replace(
        chain,
        joint_names=chain.joint_names[:6],
        fixed=chain.fixed[:6],
        axes=chain.axes[:6],
        lower_rad=chain.lower_rad[:6],
        upper_rad=chain.upper_rad[:6],
        max_velocity_rad_s=chain.max_velocity_rad_s[:6],
    )
    model = replace(
        PANDA,
        chain=short,
        home_rad=HOME[:6],
        max_acceleration_rad_s2=PANDA.max_acceleration_rad_s2[:6],
        max_jerk_rad_s3=PANDA.max_jerk_rad_s3[:6],
        workspace_lower_m=np.full(3, -2.0),
        workspace_upper_m=np.full(3, 2.0),
    )
    motion = sway()
    motion = replace(
        motion,
        joint_names=model.joint_names,
        position_rad=motion.position_rad[:, :6],
        velocity_rad_s=motion.velocity_rad_s[:, :6],
    )
    arm = ArmState(position_rad=HOME[:6], velocity_rad_s=np.zeros(6), age_s=0.0)
    assert ActionGate(model).check(motion, arm=arm, proposal_age_s=0.0).position_rad.shape == (40, 6)
    with pytest.raises(UnsafeCommandError, match="this arm has"):
        ActionGate(model).check(sway(), arm=arm, proposal_age_s=0.0)


def test_between_points_counts_as_much_as_at_them() -> None:
    # Both points are at home; the cubic between them swings out.
    velocity = np.zeros((3, 7))
    velocity[:2, 0] = (1.5, -1.5)
    motion = JointTrajectory(
        joint_names=PANDA.joint_names,
        time_s=np.array([1.0, 3.0, 4.0]),
        position_rad=np.tile(HOME, (3, 1)),
        velocity_rad_s=velocity,
        gripper_width_m=np.full(3, 0.08),
    )
    motion.position_rad[0, 0] += 0.75
    motion.position_rad[1, 0] += 0.75
    _, high = TimedPath(motion).peak_position_rad()
    assert high[0] > HOME[0] + 1.4
    with pytest.raises(UnsafeCommandError, match="workspace"):
        check(motion)


@pytest.mark.parametrize(
    ("arm", "age_s", "words"),
    [
        (replace(AT_HOME, age_s=0.5), 0.1, "joint states are 0.50 s old"),
        (replace(AT_HOME, age_s=float("nan")), 0.1, "joint states are nan s old"),
        (AT_HOME, 2.5, "decided on something 2.50 s old"),
        (AT_HOME, -1.0, "decided on something -1.00 s old"),
        (AT_HOME, float("nan"), "decided on something nan s old"),
        (replace(AT_HOME, velocity_rad_s=np.full(7, 0.3)), 0.1, "the arm still moves"),
        (replace(AT_HOME, position_rad=np.full(7, np.nan)), 0.1, "measured joint states are not finite"),
    ],
)
def test_stale_or_moving_is_refused(arm: ArmState, age_s: float, words: str) -> None:
    with pytest.raises(UnsafeCommandError, match=words):
        check(sway(), arm, age_s)


def test_the_emergency_stop_latches() -> None:
    guard = gate()
    guard.stop()
    for _ in range(2):
        with pytest.raises(UnsafeCommandError, match="emergency stop"):
            guard.check(sway(), arm=AT_HOME, proposal_age_s=0.1)
    guard.resume()
    assert guard.check(sway(), arm=AT_HOME, proposal_age_s=0.1).time_s.size


numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)
points = st.integers(1, 6)


@st.composite
def motions(draw: st.DrawFn) -> JointTrajectory:
    """Sound motions, mildly spoilt ones, and nonsense."""
    motion = sway(
        joint=draw(st.integers(0, 6)),
        reach_rad=draw(st.floats(-0.5, 0.5)),
        duration_s=draw(st.floats(0.5, 6.0)),
        points=draw(st.integers(4, 30)),
    )
    noise = draw(st.sampled_from([0.0, 1e-4, 1e-2, 1.0]))
    position = motion.position_rad + noise * draw(arrays(np.float64, (1, 7), elements=st.floats(-1, 1)))
    velocity = motion.velocity_rad_s * draw(st.floats(0.5, 1.5))
    width = motion.gripper_width_m + draw(st.floats(-0.1, 0.1))
    time_s = motion.time_s * draw(st.floats(0.2, 2.0))
    for values in (position, velocity, width, time_s):
        if draw(st.integers(0, 5)) == 0:
            values.flat[draw(st.integers(0, values.size - 1))] = draw(numbers)
    return replace(motion, position_rad=position, velocity_rad_s=velocity, gripper_width_m=width, time_s=time_s)


@settings(max_examples=300, deadline=None)
@given(motion=motions())
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_what_passes_is_within_every_limit_and_passes_again_unchanged(motion: JointTrajectory) -> None:
    try:
        passed = check(motion)
    except UnsafeCommandError:
        return
    for values in (passed.time_s, passed.position_rad, passed.velocity_rad_s, passed.gripper_width_m):
        assert np.isfinite(values).all()
    assert (passed.gripper_width_m >= 0).all()
    assert (passed.gripper_width_m <= PANDA.gripper_width_m).all()
    assert_curve_within_limits(passed)
    again = check(passed)
    np.testing.assert_array_equal(again.position_rad, passed.position_rad)
    np.testing.assert_array_equal(again.velocity_rad_s, passed.velocity_rad_s)
    np.testing.assert_array_equal(again.gripper_width_m, passed.gripper_width_m)
    np.testing.assert_array_equal(again.time_s, passed.time_s)


def assert_curve_within_limits(motion: JointTrajectory) -> None:
    """By dense sampling, which knows nothing of the exact extremes that the gate computes."""
    path, limits = TimedPath(motion), GateLimits()
    position, velocity = path.sample(np.linspace(0.0, path.duration_s, 2000))
    slack = limits.overshoot_rad + 1e-9
    assert (position >= PANDA.lower_rad - slack).all()
    assert (position <= PANDA.upper_rad + slack).all()
    assert (np.abs(velocity) <= PANDA.max_velocity_rad_s * (1 + 1e-5)).all()
    hand: Float = PANDA.chain.positions(position[::20])
    assert (hand >= PANDA.workspace_lower_m - 2e-3).all()
    assert (hand <= PANDA.workspace_upper_m + 2e-3).all()


@settings(max_examples=100, deadline=None)
@given(motion=motions(), where=st.integers(0, 1_000_000), what=st.sampled_from([np.nan, np.inf, -np.inf]))
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_nothing_that_is_not_finite_passes(motion: JointTrajectory, where: int, what: float) -> None:
    values = [motion.time_s, motion.position_rad, motion.velocity_rad_s, motion.gripper_width_m][where % 4]
    values.flat[where % values.size] = what
    with pytest.raises(UnsafeCommandError):
        check(motion)


def test_safety_imports_nothing_that_learns() -> None:
    code = (
        "import sys, embodied.safety; "
        "print([m for m in ('torch', 'transformers', 'rclpy', 'pybullet') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_motion_begins_where_the_arm_is_measured() -> None:
    """Not where it was planned from: the difference is a motion too, and has limits."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        measured = HOME + rng.uniform(-0.049, 0.049, 7)
        passed = check(sway(), replace(AT_HOME, position_rad=measured))
        path = TimedPath(passed)
        np.testing.assert_allclose(path.position_rad[0], measured, atol=1e-12)
        assert (path.peak_acceleration_rad_s2() <= PANDA.max_acceleration_rad_s2).all()
        assert (path.peak_jerk_rad_s3() <= PANDA.max_jerk_rad_s3).all()
        again = check(passed, replace(AT_HOME, position_rad=measured))
        np.testing.assert_array_equal(again.position_rad, passed.position_rad)


def moving(end_s: float) -> tuple[Streamer, list[Sent]]:
    """A streamer on its way along a sway that began at 0, and what it has sent until `end_s`."""
    streamer, messages = Streamer(TimedPath(sway()), PANDA), []
    for now_s in np.arange(0.0, end_s - 1e-9, 0.02).tolist():
        messages.append(sent(streamer, now_s))
    return streamer, messages


def sent(streamer: Streamer, now_s: float) -> Sent:
    piece = streamer.piece(now_s)
    return Sent(now_s, piece.time_s, piece.position_rad, piece.velocity_rad_s)


def later(streamer: Streamer, now_s: float, motion: JointTrajectory, begun_s: float) -> tuple[TimedPath, Seam]:
    return gate().check_later(
        motion,
        earlier=streamer.ahead(now_s),
        width_m=0.08,
        stamp_s=begun_s,
        now_s=now_s,
        arm=AT_HOME,
        proposal_age_s=0.1,
    )


@pytest.mark.parametrize("late_s", [0.03, 0.25, 0.6])
def test_a_later_part_takes_over_without_a_jolt(late_s: float) -> None:
    """It was decided `late_s` ago, goes on as before, and moves another joint as well."""
    now_s = 0.7
    streamer, messages = moving(now_s)
    position, velocity = streamer.told(now_s)
    time_s = np.arange(1, 81) * 0.025
    places, speeds = TimedPath(sway()).sample(now_s - late_s + time_s)
    phase = np.pi * np.minimum(time_s / 1.2, 1.0)
    places[:, 1] -= 0.03 * (1.0 - np.cos(phase))
    speeds[:, 1] -= 0.03 * np.pi / 1.2 * np.sin(phase)
    speeds[-1] = 0.0
    motion = replace(sway(points=80), time_s=time_s, position_rad=places, velocity_rad_s=speeds)
    path, seam = later(streamer, now_s, motion, now_s - late_s)
    assert abs(seam.later_s - late_s) < 0.1
    np.testing.assert_allclose(path.position_rad[0], position)
    np.testing.assert_allclose(path.velocity_rad_s[0], velocity)
    rest = np.linspace(0.45, path.duration_s, 50)
    np.testing.assert_allclose(path.sample(rest)[0], TimedPath(motion).sample(seam.later_s + rest)[0], atol=1e-6)

    after = streamer.follow(path, now_s)
    messages += [sent(after, now) for now in (now_s + 0.02 * np.arange(80)).tolist()]
    told = followed(HOME, messages, 0.0, now_s + 2.0)
    for limit, share in shares(PANDA, told).items():
        assert share <= 1.01, limit
    np.testing.assert_allclose(told[-1], motion.position_rad[-1], atol=1e-6)
    np.testing.assert_array_equal(after.told_rad(0.5), streamer.told_rad(0.5))


def test_a_part_is_met_before_the_fingers_that_it_waits_for() -> None:
    """The arm stands where the part stops for the fingers, and its clock says that it went on."""
    motion = sway(points=80)
    position, velocity, width = (motion.position_rad.copy(), motion.velocity_rad_s.copy(), np.full(80, 0.08))
    position[20:40], velocity[20:40], width[24:] = position[20], 0.0, 0.0
    waits = TimedPath(replace(motion, position_rad=position, velocity_rad_s=velocity, gripper_width_m=width))
    [stop_s] = waits.gripper_stops_s().tolist()
    at_rest = (position[20], np.zeros(7))
    for clock_s in (-5.0, 0.3, stop_s - 0.01, stop_s + 0.2, waits.duration_s - 0.2, 99.0):
        assert meeting_s(at_rest, 0.08, waits, clock_s) <= stop_s
    # Fingers that were told are not waited for again, and a place that is passed the other way is not met.
    assert meeting_s(at_rest, 0.0, waits, stop_s + 0.2) > stop_s
    there = TimedPath(sway(points=80))
    out_s, back_s = 0.5, there.duration_s - 0.5
    [place], [speed] = there.sample(np.array([out_s]))
    assert abs(meeting_s((place, speed), 0.08, there, 0.5 * (out_s + back_s)) - out_s) < 0.2


def test_a_part_that_comes_when_it_is_over_is_dropped() -> None:
    now_s = 0.7
    streamer, _ = moving(now_s)
    with pytest.raises(UnsafeCommandError, match=r"it came too late: its end is 0\.00 s away"):
        later(streamer, now_s, sway(), now_s - 2.5)


def test_a_part_that_no_blend_brings_within_the_limits_is_refused() -> None:
    now_s = 0.7
    streamer, _ = moving(now_s)
    far = replace(sway(), position_rad=sway().position_rad + 0.8)
    with pytest.raises(UnsafeCommandError, match=r"(velocity|acceleration) of panda_joint"):
        later(streamer, now_s, far, now_s - 0.1)


def refuses(here: Float) -> bool:
    """Whether the straight turn of all joints home would touch something, or leave the workspace."""
    share = np.arange(1, 81)[:, None] / 80
    way = replace(
        sway(points=80),
        time_s=10.0 * share[:, 0],
        position_rad=here + (HOME - here) * (3 * share**2 - 2 * share**3),
        velocity_rad_s=(HOME - here) * (6 * share - 6 * share**2) / 10.0,
    )
    return bool(PANDA.clearance.refusal(TimedPath(way), PANDA.workspace))


@pytest.mark.parametrize("beyond_rad", [0.0008, 0.004, 0.045])
@pytest.mark.parametrize("joint", range(7))
def test_an_arm_that_was_stopped_beyond_a_limit_comes_back(joint: int, beyond_rad: float) -> None:
    """Within all other limits, and from where it really is."""
    for limit, outward in ((PANDA.lower_rad, -1.0), (PANDA.upper_rad, 1.0)):
        here = HOME.copy()
        here[joint] = limit[joint] + outward * beyond_rad
        at_rest = replace(AT_HOME, position_rad=here)
        try:
            way = SkillCall(skill="home", points_m=np.zeros((0, 3))).plan(PANDA, here, 0.08)
        except UnreachableError:
            assert refuses(here), "nothing else is in its way"
            continue
        passed = TimedPath(ActionGate(PANDA, EVERYWHERE).check(way, arm=at_rest, proposal_age_s=0.1))
        np.testing.assert_allclose(passed.position_rad[0], here, atol=1e-12)
        streamer, messages = Streamer(passed, PANDA), []
        for now_s in (0.02 * np.arange(60)).tolist():
            messages.append(sent(streamer, now_s))
        told = followed(here, messages, 0.0, 1.0)
        found = shares(PANDA, told)
        assert max(found["velocity"], found["acceleration"], found["jerk"]) <= 1.01
        assert found["position"] <= 1.0 + beyond_rad + 1e-6
        assert abs(told[-1, joint]) <= max(-PANDA.lower_rad[joint], PANDA.upper_rad[joint])
