# SPDX-License-Identifier: Apache-2.0
"""agent_node: words, pictures and joints in; a plan and a proposed motion out.

In: `instruction` (std_msgs/String), `joint_states`, and of each camera that the policy reads
`camera/<name>/image_raw`, `camera_info` and `pose`. Out: `plan` (std_msgs/String, latched),
`proposed_trajectory`, `heartbeat`, and `status` (std_msgs/String, latched), which is JSON:

    {"state", "text", "instruction", "id", "attempt"}

`state` goes from loading to ready, and for each instruction through thinking and moving to one of done,
refused (a plain answer, nothing moved), failed or stopped. `id` is new with each instruction. A new
instruction pre-empts the one under way. `~/cancel` stops the arm.
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from embodied.agent import Agent
from embodied.errors import EmbodiedError
from embodied.policy import Policy, make_policy
from embodied.robots import PANDA
from embodied.safety import ClockScale
from embodied.types import Decision
from nodes.common import ERROR, LATCHED, OK, RELIABLE, STEADY, Diagnostics, declare, run, steady_s, to_json
from nodes.gate_client import GateClient
from nodes.performer import Interrupted, Performer, Result
from nodes.senses import Senses

_TERMINAL = ("done", "refused", "failed", "stopped")


class AgentNode(Node):
    """Callbacks store and answer; one worker thread loads the policy, thinks and follows motions."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("agent_node", **kwargs)
        self._policy_name = str(
            declare(
                self,
                "policy",
                "palme",
                "policy that decides: a registered name or module:class",
                read_only=True,
            )
        )
        self._checkpoint = str(
            declare(self, "checkpoint", "", "checkpoint directory; empty is the shipped one", read_only=True)
        )
        self._device = str(
            declare(self, "device", "", "where the policy computes; empty is its default", read_only=True)
        )
        options = "further options of the policy, a JSON object"
        self._options = str(declare(self, "policy_options", "{}", options, read_only=True))
        age = "age at which an observation is refused, seconds"
        self._max_age_s = declare(
            self, "max_observation_age_s", 0.5, age, read_only=True, low=0.05, high=60.0
        )
        self.failure: BaseException | None = None
        self._wake = threading.Condition()
        self._pending: str | None = None
        self._generation = 0
        self._cancelled = False
        self._closing = False
        self._status: dict[str, object] = {"state": "", "text": "", "instruction": "", "id": "", "attempt": 0}
        self._prefix, self._count = uuid.uuid4().hex[:6], 0
        self._scale = ClockScale()
        self._decision_ms = 0.0

        self.senses = Senses(self, PANDA.joint_names)
        self.gate = GateClient(self)
        self._status_out = self.create_publisher(String, "status", LATCHED)
        self._plan_out = self.create_publisher(String, "plan", LATCHED)
        self.create_subscription(String, "instruction", self._on_instruction, RELIABLE)
        self.create_service(Trigger, "~/cancel", self._on_cancel)
        self._clock_timer = self.create_timer(0.05, self._watch_clock, clock=STEADY)
        self._diagnostics = Diagnostics(self, "panda", self._report)
        self._say("loading", f"loading policy {self._policy_name}")
        self._worker = threading.Thread(target=self._work, name="agent", daemon=True)
        self._worker.start()

    def now_s(self) -> float:
        """Seconds on the clock that stamps observations."""
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def close(self) -> None:
        """Stop the arm and end the worker."""
        with self._wake:
            self._closing = True
            self._generation += 1
            self._wake.notify_all()
        self._worker.join(timeout=5.0)

    def _on_instruction(self, message: String) -> None:
        with self._wake:
            self._pending, self._cancelled = message.data, False
            self._generation += 1
            self._wake.notify_all()

    def _on_cancel(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.gate.stop()
        with self._wake:
            self._pending, self._cancelled = None, True
            self._generation += 1
            self._wake.notify_all()
        response.success, response.message = True, "stopping"
        return response

    def _watch_clock(self) -> None:
        if not self._scale.update(self.now_s(), steady_s()):
            self.get_logger().warning("the clock went backwards: what was seen before is forgotten")
            self.senses.forget()

    def _work(self) -> None:
        try:
            agent = Agent(self._load(), clock=self.now_s, max_observation_age_s=self._max_age_s)
            self.senses.open_cameras(agent.policy.cameras)
            performer = Performer(
                agent, self.senses, self.gate, now_s=self.now_s, max_age_s=self._max_age_s, scale=self._scale
            )
            self._say("ready", "tell me what to do")
            self.get_logger().info(f"ready: policy {self._policy_name}")
            while (command := self._next()) is not None:
                self._perform(performer, *command)
        except EmbodiedError as error:
            self._say("failed", str(error))
            self.failure = error
        except BaseException as error:
            # A thread that dies in silence would leave a node that looks alive and never answers.
            self._say("failed", f"the agent has a fault and ends: {type(error).__name__}: {error}")
            self.failure = error
            raise

    def _load(self) -> Policy:
        try:
            options = json.loads(self._options)
        except ValueError as error:
            raise EmbodiedError(f"policy_options is no JSON: {error}") from error
        if not isinstance(options, dict):
            raise EmbodiedError(f"policy_options must be a JSON object, not {self._options}")
        options |= {k: v for k, v in (("checkpoint", self._checkpoint), ("device", self._device)) if v}
        return make_policy(self._policy_name, options)

    def _next(self) -> tuple[str, int] | None:
        with self._wake:
            while self._pending is None and not self._closing:
                self._wake.wait()
            if self._closing:
                return None
            assert self._pending is not None
            text, self._pending = self._pending, None
            return text, self._generation

    def _perform(self, performer: Performer, text: str, generation: int) -> None:
        self._count += 1
        self._status = self._status | {
            "instruction": text,
            "id": f"{self._prefix}-{self._count}",
            "attempt": 1,
        }
        self.get_logger().info(f"instruction: {text}")

        def check() -> None:
            if self._closing:
                raise Interrupted("the agent ends")
            if self._generation != generation:
                raise Interrupted("cancelled" if self._cancelled else "another instruction came")

        try:
            result = performer.perform(
                text, check=check, say=self._say_attempt, on_decision=self._publish_plan
            )
        except Interrupted as error:
            result = Result(state="stopped", text=str(error))
        except EmbodiedError as error:
            result = Result(state="failed", text=str(error))
        self._say(result.state, result.text)

    def _publish_plan(self, decision: Decision) -> None:
        self._decision_ms = decision.timings_ms.get("decide", 0.0)
        self._plan_out.publish(String(data=decision.text))

    def _say_attempt(self, state: str, text: str, attempt: int) -> None:
        self._status = self._status | {"attempt": attempt}
        self._say(state, text)

    def _say(self, state: str, text: str) -> None:
        self._status = self._status | {"state": state, "text": text}
        self._status_out.publish(to_json(self._status))
        if state in _TERMINAL:
            self.get_logger().info(f"{state}: {text}")

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        level = ERROR if self.failure is not None else OK
        details: dict[str, object] = {
            "policy": self._policy_name,
            "decision_ms": f"{self._decision_ms:.1f}",
            "missing": ", ".join(self.senses.missing()),
            "gate": self.gate.blocked or "ready",
        }
        return level, f"{self._status['state']}: {self._status['text']}", details


def serve(node: AgentNode, stopping: threading.Event) -> None:
    """Run until told to end, or until the worker fails."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while node.failure is None and not stopping.is_set():
        executor.spin_once(timeout_sec=0.1)
    node.close()
    executor.shutdown()
    if node.failure is not None:
        raise node.failure


def main() -> int:
    """Console entry point."""
    return run(AgentNode, serve)


if __name__ == "__main__":
    sys.exit(main())
