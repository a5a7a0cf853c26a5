# SPDX-License-Identifier: Apache-2.0
"""The agent's side of the gate, with a node that only writes down what is published."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("rclpy")

from embodied.arm import arm_model
from embodied.types import JointTrajectory
from tests.nodes.stand_in import Node

MODEL = arm_model("panda")
MOTION = JointTrajectory(
    joint_names=MODEL.joint_names,
    time_s=np.array([1.0]),
    position_rad=MODEL.home_rad[None],
    velocity_rad_s=np.zeros((1, 7)),
    gripper_width_m=np.array([0.08]),
)


def test_what_is_stopped_after_the_check_is_not_proposed_after_the_stop() -> None:
    """The callback stops just when the worker has found that its motion is still wanted."""
    from nodes.gate_client import GateClient

    node = Node()
    client = GateClient(node, MODEL.gripper_joints[0])
    outcome = client.execute(MOTION, stamp_s=1.0, on_tick=client.stop)
    assert (outcome.state, outcome.reason) == ("aborted", "it was stopped before it began")
    [(topic, stop)] = node.sent
    assert (topic, len(stop.points)) == ("proposed_trajectory", 0)
    client._beat()
    assert node.sent[-1][1].frame_id == "", "no heartbeat for what was stopped"


def test_a_stop_of_before_stops_nothing_that_comes_after() -> None:
    from std_msgs.msg import String

    from nodes.gate_client import GateClient

    node = Node()
    client = GateClient(node, MODEL.gripper_joints[0])
    client.stop()

    def answer() -> None:
        if len(node.sent) > 1:
            motion_id = node.sent[-1][1].header.frame_id
            client.inlet.take(String(data=f'{{"state": "done", "id": "{motion_id}"}}'))

    assert client.execute(MOTION, stamp_s=1.0, on_tick=answer).state == "done"
    assert [len(message.points) for _, message in node.sent] == [0, 1]


def test_a_refusal_is_heard_that_is_followed_at_once_by_word_of_another_motion() -> None:
    """The gate says it once, and goes on to tell of the motion that is under way."""
    from std_msgs.msg import String

    from nodes.gate_client import GateClient

    node = Node()
    client = GateClient(node, MODEL.gripper_joints[0])

    def answer() -> None:
        if node.sent:
            refused = {"state": "refused", "id": node.sent[-1][1].header.frame_id, "reason": "one is under way"}
            for status in (refused, {"state": "executing", "id": "another"}):
                client.inlet.take(String(data=json.dumps({**status, "gate": "one"})))

    outcome = client.execute(MOTION, stamp_s=1.0, on_tick=answer)
    assert (outcome.state, outcome.reason) == ("refused", "one is under way")


def test_a_motion_that_has_no_answer_is_proposed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that was just started may speak before it hears."""
    from std_msgs.msg import String

    from nodes import gate_client

    monkeypatch.setattr(gate_client, "_AGAIN_S", 0.05)
    node = Node()
    client = gate_client.GateClient(node, MODEL.gripper_joints[0])

    def answer() -> None:
        state = "done" if len(node.sent) == 3 else "idle"
        client.inlet.take(
            String(data=json.dumps({"state": state, "gate": "one", "id": "" if state == "idle" else said()}))
        )

    def said() -> str:
        return str(node.sent[-1][1].header.frame_id)

    assert client.execute(MOTION, stamp_s=1.0, on_tick=answer).state == "done"
    first, *again = [message for _, message in node.sent]
    assert len(again) == 2 and all(each == first for each in again), "the gate knows it by its id and its stamp"


@pytest.mark.parametrize(
    ("heard", "outcome"),
    [
        ({"gate": "one", "stopped": True}, ("aborted", "it was stopped before it began")),
        ({"gate": "another"}, ("silent", "the gate was started anew")),
    ],
)
def test_after_a_stop_and_to_another_gate_it_is_not_proposed_again(
    monkeypatch: pytest.MonkeyPatch, heard: dict[str, object], outcome: tuple[str, str]
) -> None:
    """The operator may have resumed meanwhile, and a gate of before may have begun."""
    from std_msgs.msg import String

    from nodes import gate_client

    monkeypatch.setattr(gate_client, "_AGAIN_S", 0.05)
    node = Node()
    client = gate_client.GateClient(node, MODEL.gripper_joints[0])
    idle = {"state": "idle", "id": "", "gate": "one"}
    client.inlet.take(String(data=json.dumps(idle)))

    def tell() -> None:
        if node.sent:
            client.inlet.take(String(data=json.dumps(idle | heard)))

    ended = client.execute(MOTION, stamp_s=1.0, on_tick=tell)
    assert ((ended.state, ended.reason), len(node.sent)) == (outcome, 1)


JUNK = ["", "no JSON", "[1, 2]", '{"state": 3}', '{"state": "odd"}', '"executing"', "null", "[" * 60_000, "x" * 10**6]
JUNK += ['{"state": "idle", "part": -1}', '{"state": "idle", "part": true}', '{"state": "idle", "part": 1.5}']
JUNK += ['{"state": "idle", "stopped": "no"}', '{"state": "idle", "blocked": {}}', '{"state": []}', "\x1b[2J"]
SEAM = '{"state": "idle", "seam": {"at_s": 1.0, "later_s": %s, "blend_s": %s}}'
JUNK += [SEAM % ("NaN", 0.1), SEAM % (0.1, 0.0), SEAM % (0.1, 1e9), SEAM % (-0.1, 0.1), SEAM % (0.1, "true")]
JUNK += ['{"state": "idle", "seam": [1.0, 0.1, 0.1]}', '{"state": "idle", "seam": {"at_s": 1.0}}']


@pytest.mark.parametrize("junk", JUNK)
def test_junk_on_the_gates_status_is_counted_and_changes_nothing(junk: str) -> None:
    from std_msgs.msg import String

    from nodes.gate_client import GateClient

    gate = GateClient(Node(), "finger")
    gate.inlet.take(String(data='{"state": "executing", "stopped": true}'))
    gate.inlet.take(String(data=junk))
    assert gate.moving and gate.stopped
    assert gate.inlet.refused == 1
    assert gate.inlet.reason.isprintable() and len(gate.inlet.reason) < 500
