# SPDX-License-Identifier: Apache-2.0
"""Sees what the arm is told and what it does, and talks to the graph as any client would.

Arrival times are on the steady clock. What is judged comes from the arm's own topics; what nodes say of themselves
is only used to know when to go on.
"""

from __future__ import annotations

import bisect
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from embodied.arm import arm_model
from embodied.errors import EmbodiedError, UnsafeCommandError
from embodied.judge import Sent, followed, shares
from embodied.types import Float
from nodes import conversions
from nodes.arm_writers import GATE
from nodes.common import EVERY_FACT, LATCHED, RELIABLE, from_json, steady_s
from nodes.dds import use_local_transport
from nodes.executor import make_executor
from nodes.faults.saboteur import Order
from nodes.faults.streams import CONTROL, STATE

REST_RAD_S = 0.02
"""Below it the arm is at rest: half a degree takes it half a second."""
_REST_S = 0.15
_ANSWER_S = 10.0
_FINAL = ("done", "refused", "failed", "stopped")


@dataclass(frozen=True)
class Seen:
    """The arm as one message told: when that came, its stamp, positions (N,) and velocities (N,)."""

    came_s: float
    stamp_s: float
    position_rad: Float
    velocity_rad_s: Float

    @property
    def speed_rad_s(self) -> float:
        """Of the fastest joint."""
        return float(np.abs(self.velocity_rad_s).max())


@dataclass(frozen=True)
class Told:
    """One message to the arm, as it travels, with the arm's newest stamp when it came."""

    came_s: float
    arm_s: float
    data: bytes


@dataclass(frozen=True)
class Word:
    """What a node said of itself, and when that came."""

    came_s: float
    values: dict[str, Any]


class Watch:
    """A client of the graph in `domain`, with a thread that listens."""

    def __init__(self, domain: int, *, relayed: bool) -> None:
        use_local_transport()
        self.model = arm_model("panda")
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        node = self.node = rclpy.create_node(f"faults_{os.getpid()}", context=self._context, enable_rosout=False)
        self.seen: list[Seen] = []
        self.told: list[Told] = []
        self.gate: list[Word] = []
        self.agent: list[Word] = []
        self.plans = 0
        self.start_off_rad = 0.0
        """How far the first point of a motion was from where the arm was measured, at most, since `forget`."""
        self.diagnostics: dict[str, dict[str, str]] = {}
        self._state = ""
        raw = "raw/" if relayed else ""
        node.create_subscription(JointState, f"{raw}joint_states", self._on_joints, qos_profile_sensor_data)
        deep = QoSProfile(depth=200)
        node.create_subscription(JointTrajectory, "arm_controller/joint_trajectory", self._on_told, deep, raw=True)
        node.create_subscription(String, "gate_status", self._on_gate, EVERY_FACT)
        node.create_subscription(String, "status", self._on_agent, EVERY_FACT)
        node.create_subscription(String, "plan", self._on_plan, RELIABLE)
        node.create_subscription(String, STATE, self._on_state, LATCHED)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, RELIABLE)
        self.words = node.create_publisher(String, "instruction", RELIABLE)
        self._order = node.create_publisher(String, CONTROL, LATCHED)
        self._set: Any = node.create_client(SetParameters, "sim_node/set_parameters")
        names = ("sim_node/reset", "sim_node/score", "gate_node/stop", "gate_node/resume", "agent_node/cancel")
        self._triggers: dict[str, Any] = {name: node.create_client(Trigger, name) for name in names}
        self._executor = make_executor(self._context)
        self._executor.add_node(node)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._closing.set()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def _spin(self) -> None:
        while not self._closing.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def _on_joints(self, message: JointState) -> None:
        came_s, place = steady_s(), {name: i for i, name in enumerate(message.name)}
        index = [place[name] for name in self.model.joint_names]
        position, velocity = np.array(message.position)[index], np.array(message.velocity)[index]
        self.seen.append(Seen(came_s, conversions.from_time(message.header.stamp), position, velocity))

    def _on_told(self, data: bytes) -> None:
        self.told.append(Told(steady_s(), self.seen[-1].stamp_s if self.seen else 0.0, data))

    def _on_gate(self, message: String) -> None:
        self.gate.append(Word(steady_s(), from_json(message)))

    def _on_agent(self, message: String) -> None:
        self.agent.append(Word(steady_s(), from_json(message)))

    def _on_plan(self, _: String) -> None:
        self.plans += 1

    def _on_state(self, message: String) -> None:
        self._state = message.data

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics[status.name.partition(":")[0]] = {pair.key: pair.value for pair in status.values}

    # --- what it is like now

    @property
    def gate_now(self) -> dict[str, Any]:
        """The newest word of the gate."""
        return self.gate[-1].values if self.gate else {}

    @property
    def agent_now(self) -> dict[str, Any]:
        """The newest word of the agent."""
        return self.agent[-1].values if self.agent else {}

    def forget(self) -> None:
        """Keep the newest of what there is alone, and nothing that was sent: a new trial begins."""
        for records in (self.seen, self.gate, self.agent):
            del records[:-1]
        self.told.clear()
        self.start_off_rad = 0.0

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for it; False where it does not come true."""
        end_s = steady_s() + timeout_s
        while not condition():
            if steady_s() > end_s:
                return False
            time.sleep(0.01)
        return True

    def is_whole(self) -> bool:
        """Whether all three nodes talk, now, and a motion would be accepted."""
        now_s = steady_s()
        fresh = all(each and now_s - each[-1].came_s < 0.3 for each in (self.seen, self.gate))
        state = self.agent_now.get("state")
        return bool(
            fresh
            and self.gate_now.get("blocked") == ""
            and state not in (None, "", "loading")
            and not (state == "failed" and not self.agent_now.get("id"))
            and self.words.get_subscription_count()
        )

    # --- what it asks for

    def order(self, order: Order) -> None:
        """Tell the saboteur. Raises EmbodiedError where it does not obey."""
        text = json.dumps(asdict(order))
        self._order.publish(String(data=text))
        if not self.wait(lambda: self._state == text, _ANSWER_S):
            raise EmbodiedError("the saboteur does not answer")

    def call(self, service: str, timeout_s: float = _ANSWER_S) -> Trigger.Response | None:
        """Call a Trigger; None where nobody answers."""
        return self._ask(self._triggers[service], Trigger.Request(), timeout_s)

    def begin(self, service: str) -> Any:
        """Call a Trigger without waiting; the service must be known. Gives the future."""
        return self._triggers[service].call_async(Trigger.Request())

    def _ask(self, client: Any, request: Any, timeout_s: float) -> Any:
        if not self.wait(client.service_is_ready, timeout_s):
            return None
        future = client.call_async(request)
        return future.result() if self.wait(future.done, timeout_s) else None

    def reset(self, task: str, seed: int) -> dict[str, Any]:
        """Start an episode; returns its words and things. Raises EmbodiedError."""
        values: dict[str, Any] = {"task": task, "split": "seen", "seed": seed}
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        answer = self._ask(self._set, SetParameters.Request(parameters=parameters), _ANSWER_S)
        scene = self.call("sim_node/reset") if answer is not None else None
        if scene is None or not scene.success:
            raise EmbodiedError(f"sim_node does not reset: {scene.message if scene else 'no answer'}")
        return dict(json.loads(scene.message))

    def score(self) -> bool:
        """Whether the simulator finds the task done."""
        answer = self.call("sim_node/score")
        return answer is not None and bool(json.loads(answer.message)["is_success"])

    def say(self, text: str) -> str:
        """Send an instruction; returns its id once the agent has taken it up, or nothing."""
        before = self.agent_now.get("id", "")
        self.words.publish(String(data=text))
        found = self.wait(lambda: self.agent_now.get("id") not in (before, ""), 3.0)
        return str(self.agent_now["id"]) if found else ""

    def outcome(self, instruction_id: str, timeout_s: float) -> dict[str, Any]:
        """How that instruction ended; empty where it has not."""

        def ended() -> bool:
            now = self.agent_now
            return now.get("id") == instruction_id and now.get("state") in _FINAL

        return dict(self.agent_now) if self.wait(ended, timeout_s) else {}

    # --- what the arm did

    def rest_s(self, since_s: float) -> float:
        """When, after `since_s`, the arm had come to rest and stayed there; infinite where it has not."""
        found = float("inf")
        for seen in [each for each in list(self.seen) if each.came_s >= since_s]:
            if seen.speed_rad_s > REST_RAD_S:
                found = float("inf")
            elif found == float("inf"):
                found = seen.came_s
            elif seen.came_s - found > _REST_S:
                return found
        return float("inf")

    def told_rest_s(self, since_s: float) -> float:
        """When the first motion that was under way at `since_s` had been told to be at rest, at the rate 1."""
        ends_s = since_s
        for told in list(self.told):
            if told.came_s > max(since_s, ends_s):
                break
            message = deserialize_message(told.data, JointTrajectory)
            ends_s = told.came_s + conversions.from_time(message.points[-1].time_from_start)
        return ends_s

    def hand_speed_m_s(self, at_s: float) -> float:
        """How fast the hand was just before `at_s`."""
        before = [each for each in list(self.seen) if each.came_s <= at_s][-4:]
        if len(before) < 2 or before[-1].stamp_s <= before[0].stamp_s:
            return 0.0
        first, last = (self.model.chain.forward(each.position_rad)[:3, 3] for each in (before[0], before[-1]))
        return float(np.linalg.norm(last - first)) / (before[-1].stamp_s - before[0].stamp_s)

    def moved_rad(self, since_s: float, until_s: float = float("inf")) -> float:
        """How far any joint went from where it was at `since_s`."""
        places = [each.position_rad for each in list(self.seen) if since_s <= each.came_s <= until_s]
        return float(np.ptp(places, axis=0).max()) if places else 0.0

    def limits(self) -> dict[str, float]:
        """The worst share of each limit in all that was sent since `forget`; 1 is at the limit."""
        worst: dict[str, float] = {}
        for sent in self._motions():
            # From its first point on: where it begins, the gate has measured a moment before we have.
            begin_s, end_s = (each.stamp_s + float(each.time_s[at]) for each, at in ((sent[0], 0), (sent[-1], -1)))
            start = sent[0].position_rad[0], sent[0].velocity_rad_s[0]
            told = followed(start[0], sent, begin_s, max(begin_s, end_s) + 0.05, start[1])
            for limit, share in shares(self.model, told).items():
                worst[limit] = max(worst.get(limit, 0.0), share)
        return worst

    def _motions(self) -> list[list[Sent]]:
        """What gates sent, cut where the arm had come to rest, and where it is held where it is measured.

        Two gates do not know of each other's pieces, so each is judged by its own.
        """
        sent: dict[str, list[tuple[Told, JointTrajectory]]] = {}
        for told in list(self.told):
            message = deserialize_message(told.data, JointTrajectory)
            sent.setdefault(message.header.frame_id, []).append((told, message))
        return [motion for mark in sent if mark.startswith(GATE) for motion in self._motions_of(sent[mark])]

    def _motions_of(self, one_gate: Sequence[tuple[Told, JointTrajectory]]) -> list[list[Sent]]:
        found: list[list[Sent]] = []
        rests_s = float("-inf")
        seen, came_s = list(self.seen), [each.came_s for each in self.seen]
        for told, message in one_gate:
            try:
                time_s, position, velocity = conversions.from_points(message, self.model.joint_names)
            except UnsafeCommandError:
                continue
            stamp_s = conversions.from_time(message.header.stamp)
            holds = not stamp_s
            stamp_s = stamp_s or told.arm_s
            before = bisect.bisect_right(came_s, told.came_s)
            goes_back = bool(found) and stamp_s < found[-1][-1].stamp_s
            if stamp_s > rests_s or goes_back or holds:
                found.append([])
                if before and not (goes_back or holds) and seen[before - 1].speed_rad_s < REST_RAD_S:
                    off_rad = float(np.abs(position[0] - seen[before - 1].position_rad).max())
                    self.start_off_rad = max(self.start_off_rad, off_rad)
            found[-1].append(Sent(stamp_s, time_s, position, velocity))
            rests_s = stamp_s + float(time_s[-1])
        return found
