# SPDX-License-Identifier: Apache-2.0
"""Joint states as drivers send them: in parts, without speeds, with prefixes, with wrong clocks, and broken."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from sensor_msgs.msg import JointState

from embodied.arm import arm_model
from embodied.errors import ObservationError
from nodes import conversions
from nodes import joint_states as module
from nodes.joint_states import JointStates
from tests.nodes.stand_in import Node

MODEL = arm_model("panda")
NAMES, FINGER = MODEL.joint_names, MODEL.gripper_joints[0]
HOME = dict(zip(NAMES, MODEL.home_rad.tolist(), strict=True))
ALL = HOME | {FINGER: 0.04}


def message(where: dict[str, float], stamp_s: float = 100.0, speed: float | None = 0.0, **lists: Any) -> JointState:
    made = JointState(name=list(where), position=list(where.values()))
    made.velocity = [] if speed is None else [speed] * len(where)
    made.header.stamp = conversions.to_time(stamp_s)
    for name, value in lists.items():
        setattr(made, name, value)
    return made


def heard(*messages: JointState, prefix: str = "", now_s: float = 100.0) -> JointStates:
    states = JointStates(Node(now_s), MODEL, prefix=prefix)
    for each in messages:
        states.inlet.take(each)
    return states


@given(
    order=st.permutations(list(ALL)), parts=st.lists(st.integers(1, 7), max_size=3), prefix=st.sampled_from(["", "l_"])
)
def test_the_arm_comes_in_any_order_and_in_any_parts(order: list[str], parts: list[int], prefix: str) -> None:
    cuts = sorted({0, *parts, len(order)})
    messages = [
        message({prefix + name: ALL[name] for name in order[a:b]} | {"wheel": 9.0}, 99.9 + 0.01 * round_, 0.1)
        for round_ in range(3)
        for a, b in pairwise(cuts)
    ]
    states = heard(*messages)
    joints = states.read()
    np.testing.assert_allclose(joints.position_rad, MODEL.home_rad)
    np.testing.assert_allclose(joints.velocity_rad_s, 0.1)
    assert joints.gripper_width_m == pytest.approx(0.08)
    assert states.names == tuple(prefix + name for name in NAMES)
    assert states.inlet.refused == 0


@pytest.mark.parametrize("velocity", [[], [math.nan] * 8])
def test_a_speed_that_is_not_told_is_that_of_the_positions(velocity: list[float]) -> None:
    states = heard(message(ALL, 99.0, velocity=velocity))
    assert "tell no speed of panda_joint1" in states.problem(), "one position says nothing: it is not believed at rest"
    for i in range(1, 60):
        states.inlet.take(message({n: p + 0.001 * i for n, p in ALL.items()}, 99.0 + 0.01 * i, velocity=velocity))
    np.testing.assert_allclose(states.read().velocity_rad_s, 0.1, rtol=1e-6)


def test_a_joint_that_is_not_measured_grows_old_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    states = heard(message(ALL, 99.0))
    began_s = module.steady_s()
    monkeypatch.setattr(module, "steady_s", lambda: began_s + 0.5)
    states.inlet.take(message(ALL | {"panda_joint3": math.nan}, 99.5))
    assert states.silence_s() == pytest.approx(0.5, abs=0.1)
    assert "silent for 0.5" in states.problem(within_s=0.3)
    assert "panda_joint3" in states.problem(within_s=0.3)
    assert states.problem(within_s=1.0) == ""
    assert states.read().stamp_s == 99.0


def test_two_arms_on_one_topic_are_told_apart_by_the_parameter() -> None:
    left, right = ({side + name: p for name, p in ALL.items()} for side in ("left_", "right_"))
    messages = [message(arm, 99.0 + 0.1 * i) for i, arm in enumerate((left, right, left, right))]
    assert "set the parameter joint_prefix to one of left_, right_" in heard(*messages).problem()
    states = heard(*messages, prefix="right_")
    assert states.problem(gripper=True) == ""
    assert states.names[0] == "right_panda_joint1"
    lacking = heard(message(ALL), prefix="right_").problem()
    assert "lack right_panda_joint1" in lacking and "and name panda_joint1, " in lacking


def test_zero_stamps_are_those_of_the_arrival() -> None:
    states = heard(message(ALL, 0.0))
    assert states.read().stamp_s == 100.0
    assert states.zero_stamps


def test_what_never_came_is_told_from_what_was_refused() -> None:
    states = heard()
    assert states.problem() == "no joint_states have come: I do not know where the arm is"
    states.inlet.take(message(ALL, 3700.0))
    assert "came but was refused because its stamp is 3600.0 s ahead" in states.problem()
    states.inlet.take(message({"wheel": 1.0}))
    assert "joint_states came but lack panda_joint1" in states.problem()
    assert "and name wheel" in states.problem()
    assert "because its stamp" in states.problem()
    states.inlet.take(message(ALL))
    assert states.problem() == ""
    states.forget()
    assert states.problem().startswith("no joint_states")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (message(ALL, position=[0.0]), "unequal length: 8 names, 1 positions"),
        (message(ALL, velocity=[0.0] * 9), "unequal length: 8 names, 9 velocities"),
        (message(ALL, effort=[0.0]), "unequal length: 8 names, 1 efforts"),
        (message(ALL, name=[*NAMES, NAMES[0]]), "names a joint twice: panda_joint1"),
        (message(ALL | {"panda_joint2": math.inf}), "panda_joint2 is infinite"),
        (message(ALL, speed=-math.inf), "is infinite"),
        (message(ALL | {"panda_joint4": -141.6}), "panda_joint4 is at -141.6, its limits are"),
        (message(ALL | {FINGER: 0.8}), "m, half of the width"),
        (message(ALL, speed=100.0), "moves at 100 rad/s"),
        (message(ALL, 96.0), "4.0 s behind this node's clock"),
        (message(ALL, 99.0), "goes back by 0.500 s"),
        (message({f"j{i}": 0.0 for i in range(501)}), "names 501 joints"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_what_was_known(broken: JointState, words: str) -> None:
    states = heard(message(ALL, 99.5))
    before = states.read()
    states.inlet.take(broken)
    assert words in states.inlet.reason
    assert (states.inlet.accepted, states.inlet.refused) == (1, 1)
    assert states.read().stamp_s == before.stamp_s
    np.testing.assert_array_equal(states.read().position_rad, before.position_rad)


def test_a_message_that_is_sent_again_keeps_nobody_from_being_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    states = heard(message(ALL))
    began_s = module.steady_s()
    monkeypatch.setattr(module, "steady_s", lambda: began_s + 5.0)
    states.inlet.take(message(ALL))
    assert states.silence_s() > 4.9
    with pytest.raises(ObservationError, match="silent for 5"):
        states.read()


floats = st.floats(width=64)
junk = st.builds(
    JointState,
    name=st.lists(st.sampled_from([*ALL, "x", "\x1b[2J", "l_panda_joint1"]), max_size=12),
    position=st.lists(floats, max_size=12),
    velocity=st.lists(floats, max_size=12),
    effort=st.lists(floats, max_size=2),
)


@settings(max_examples=1000, deadline=None)
@given(each=junk, sec=st.integers(-(2**31), 2**31 - 1))
def test_whatever_comes_is_taken_or_refused_and_what_is_known_can_be(each: JointState, sec: int) -> None:
    each.header.stamp.sec = sec if sec % 3 else 100
    states = heard(message(ALL, 99.0), each)
    assert states.inlet.accepted + states.inlet.refused == 2
    joints = states.read()
    assert np.isfinite([*joints.position_rad, *joints.velocity_rad_s, joints.gripper_width_m]).all()
    assert states.inlet.reason.isprintable()
