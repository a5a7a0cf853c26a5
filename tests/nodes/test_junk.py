# SPDX-License-Identifier: Apache-2.0
"""A thousand malformed messages on every topic: the nodes live, count, and move nothing."""

from __future__ import annotations

import inspect
import random
import struct
import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from embodied.arm import arm_model
from nodes import conversions
from nodes.inlet import Inlet

MODEL = arm_model("panda")
TEXTS = ["", "panda_joint1", "x" * 5000, "\x1b[2J\x07\u202e", "{", '{"state": 1}', "[" * 5000, "rgb8", "mono16", "\n"]
TEXTS += ['{"state": "idle", "id": []}', "32FC1", "plumb_bob", "frame", "\0", '{"state": "executing", "progress": "x"}']
NUMBERS = [0.0, -1.0, 1e308, float("nan"), float("inf"), -float("inf"), 0.5, 1e-300]
COUNTS = [0, 1, 2, 7, 2**31 - 1]


def junk(cls: Any, rng: random.Random, depth: int = 0) -> Any:
    """A message of the class with arbitrary values in all of its fields."""
    message = cls()
    for name, kind in cls.get_fields_and_field_types().items():
        old = getattr(message, name)
        if rng.random() < 0.2:
            continue
        if isinstance(old, str):
            value: Any = rng.choice(TEXTS)
        elif isinstance(old, bool):
            value = rng.random() < 0.5
        elif isinstance(old, int):
            value = rng.choice(COUNTS) if not kind.endswith("int8") else rng.randrange(2)
        elif isinstance(old, float):
            value = rng.choice(NUMBERS)
        elif isinstance(old, array):
            size = rng.randrange(12)
            small = [rng.randrange(256) for _ in range(size)]
            value = array(old.typecode, small if old.typecode == "B" else rng.choices(NUMBERS, k=size))
        elif isinstance(old, np.ndarray):
            value = np.array(rng.choices(NUMBERS, k=old.size))
        elif isinstance(old, list):
            inner = kind.removeprefix("sequence<").removesuffix(">")
            size = rng.randrange(6)
            value = rng.choices(TEXTS, k=size)
            if inner.endswith("JointTrajectoryPoint"):
                value = [junk(JointTrajectoryPoint, rng) for _ in range(size)]
        else:
            value = junk(type(old), rng, depth + 1)
        setattr(message, name, value)
    return message


def shower(node: Any, rng: random.Random, each: int) -> dict[str, int]:
    """Let `each` malformed messages come to every subscription of a node; how many by topic."""
    sent: dict[str, int] = {}
    for subscription in list(node.subscriptions):
        if subscription.topic_name in ("/parameter_events", "/clock"):
            continue
        for i in range(each):
            message = junk(subscription.msg_type, rng)
            if subscription.raw:
                data = serialize_message(message)
                message = data[: rng.randrange(len(data))] if i % 4 == 0 else data
            if len(inspect.signature(subscription.callback).parameters) == 2:
                subscription.callback(message, {"publication_sequence_number": i % 7})  # as of several publishers
            else:
                subscription.callback(message)
        sent[subscription.topic_name] = sent.get(subscription.topic_name, 0) + each
    return sent


@pytest.fixture
def make(ros: Any) -> Iterator[Callable[..., Any]]:
    import rclpy
    from rclpy.parameter import Parameter

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(ros.env["ROS_DOMAIN_ID"]))
    made: list[Any] = []

    def make_node(cls: Any, **parameters: Any) -> Any:
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        made.append(cls(context=context, parameter_overrides=overrides))
        return made[-1]

    yield make_node
    for node in made:
        if hasattr(node, "close"):
            node.close()
        node.destroy_node()
    context.try_shutdown()


def agent_of(make: Callable[..., Any], wait_until: Any) -> Any:
    from nodes.agent_node import AgentNode

    agent = make(AgentNode, policy="colour_blob")
    wait_until(lambda: any(each.topic_name.endswith("/pose") for each in agent.subscriptions))
    return agent


def test_an_agent_lives_through_junk_on_every_topic_and_counts_it(make: Any, wait_until: Any) -> None:
    agent = agent_of(make, wait_until)
    sent = shower(agent, random.Random(5), 1000)
    assert set(sent) >= {"/gate_status", "/joint_states", "/instruction", "/camera/front/pose"}
    level, text, details = agent._report()
    assert agent.failure is None and level == agent_warn()
    counts = {inlet.topic: inlet.refused for inlet in agent.arm.senses.inlets}
    assert all(count > 200 for count in counts.values()), counts
    assert int(str(details["refused_messages"])) > sum(counts.values())
    assert all(str(value).isprintable() for value in (text, *details.values()))
    assert max(len(str(value)) for value in details.values()) < 3000
    agent._on_instruction(String(data="stop"))
    assert agent._status["state"] in ("stopped", "loading")
    assert agent._worker.is_alive()


def agent_warn() -> bytes:
    from nodes.common import WARN

    return WARN


def test_a_gate_lives_through_junk_on_every_topic_and_sends_nothing(make: Any) -> None:
    from nodes.gate_node import GateNode

    gate = make(GateNode)
    sent: list[Any] = []
    gate._out._arm.publish = sent.append
    assert set(shower(gate, random.Random(6), 1000)) >= {"/joint_states", "/heartbeat", "/proposed_trajectory"}
    gate._tick()
    gate._report()
    assert sent == []
    assert gate._status.state == "refused"


def test_instructions_of_any_length_and_kind_are_answered_at_once(make: Any, wait_until: Any) -> None:
    agent = agent_of(make, wait_until)
    wait_until(lambda: agent._status["state"] == "ready")
    huge = "touch the red block " * 500_000
    data = serialize_message(String(data=huge))
    subscription = next(each for each in agent.subscriptions if each.topic_name == "/instruction")
    began_s = time.perf_counter()
    subscription.callback(data, {})
    assert time.perf_counter() - began_s < 0.1
    assert agent._status["state"] == "refused"
    assert agent._status["text"] == "That is 10000009 bytes; I read at most 500 characters. Say it shorter."
    for text in (huge[:100_000], "\x1b[31mlift\x07 \u202eit", "\n\u2028forged"):
        before = agent._status["id"]
        agent._on_instruction(String(data=text))
        wait_until(lambda before=before: agent._status["id"] != before)
        assert len(str(agent._status["instruction"])) < 600
        assert str(agent._status["instruction"]).isprintable()


def test_a_motion_of_half_a_million_points_costs_next_to_nothing(make: Any) -> None:
    from nodes.common import RELIABLE

    class Taker:
        def __init__(self) -> None:
            import rclpy

            self.node = make(lambda **k: rclpy.create_node("taker", **k))
            self.inlet = Inlet(self.node, JointTrajectory, "proposed_trajectory", self.take, RELIABLE)

        def take(self, message: JointTrajectory) -> None:
            conversions.from_trajectory(message, MODEL.joint_names, MODEL.gripper_joints[0])

    taker = Taker()
    point = serialize_message(JointTrajectory(points=[JointTrajectoryPoint(positions=[0.0] * 8)]))
    few = serialize_message(JointTrajectory(points=[JointTrajectoryPoint()] * 20_000))
    many = few[:4] + struct.pack("<I", 0) + bytes(len(point)) * 300_000
    for data, words in ((many, "bytes; I take at most"), (few, "20000 points; a motion has 1 to 5000")):
        began_s = time.perf_counter()
        taker.inlet.hear(data, {})
        if data is many:
            assert time.perf_counter() - began_s < 0.05
        assert words in taker.inlet.reason
    assert deserialize_message(point, JointTrajectory).points
