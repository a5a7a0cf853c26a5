# SPDX-License-Identifier: Apache-2.0
"""agent_node: words, pictures and joints in; a plan and a proposed motion out.

In: `instruction` (std_msgs/String), `joint_states`, and what the policy reads: of a camera
`camera/<name>/image_raw`, of its depth `camera/<name>/depth`, with `camera_info` and `pose` of either; of any
other sense `sense/<name>` (sensor_msgs/JointState, names and efforts). Out: `plan` (std_msgs/String, latched),
`proposed_trajectory`, `heartbeat`, and `status` (std_msgs/String, latched), which is JSON:

    {"state", "text", "instruction", "id", "attempt"}

`state` goes from loading to ready, and for each instruction through thinking and moving to one of done,
refused (a plain answer or a question back, nothing moved), failed or stopped. `id` is new with each
instruction. A new instruction pre-empts the one under way; it may answer the question that the last one ended
with. Words that stop, and `~/cancel`, stop the arm at once, and what was asked is forgotten.
"""

import json
import os
import sys
import threading
import traceback
import uuid
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from embodied.errors import EmbodiedError
from embodied.language import door
from embodied.policy import PRIVILEGED, Policy, make_policy, senses_of
from embodied.run import Agent, Hooks, Interrupted
from embodied.text import shown
from embodied.types import Decision
from nodes import common
from nodes.common import ERROR, LATCHED, OK, RELIABLE, STEADY, WARN, Diagnostics, declare, declare_arm, to_json
from nodes.inlet import Inlet, refusals
from nodes.joint_states import PREFIX
from nodes.notify import installed_since
from nodes.ros_arm import RosArm

_MOST_SAID = 2000
"""Characters of a status."""
_TERMINAL = ("done", "refused", "failed", "stopped")


@dataclass(frozen=True, eq=False)
class _Command:
    """An instruction and the id that its statuses carry."""

    text: str
    id: str


class AgentNode(Node):
    """Callbacks store, answer and stop; one worker thread loads the policy and runs the loop."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("agent_node", **kwargs)
        model = declare_arm(self)
        policy = "policy that decides: a registered name, or module:Class in the current folder"
        self._policy_name = str(declare(self, "policy", "palme", policy))
        checkpoint = "checkpoint directory; empty is the shipped one"
        self._checkpoint = str(declare(self, "checkpoint", "", checkpoint))
        self._device = str(declare(self, "device", "", "where the policy computes; empty is its default"))
        options = "further options of the policy, a JSON object"
        self._options = str(declare(self, "policy_options", "{}", options))
        age = "age at which an observation is refused, seconds"
        max_age_s = declare(self, "max_observation_age_s", 0.5, age, low=0.05, high=60.0)
        joint_prefix = str(declare(self, "joint_prefix", "", PREFIX))

        self.failure: BaseException | None = None
        self.modules = ""
        """What loading the policy has imported."""
        self._agent: Agent | None = None
        self._lock = threading.Condition()
        self._current: _Command | None = None  # under way, or about to be
        self._closing = False
        self._status: dict[str, object] = {"state": "", "text": "", "instruction": "", "id": "", "attempt": 0}
        self._prefix, self._count = uuid.uuid4().hex[:6], 0
        self._decision_ms = 0.0

        self.arm = RosArm(self, model, max_age_s=max_age_s, joint_prefix=joint_prefix)
        self._status_out = self.create_publisher(String, "status", LATCHED)
        self._plan_out = self.create_publisher(String, "plan", LATCHED)
        self._words = Inlet(self, String, "instruction", self._on_instruction, RELIABLE, too_big=self._on_too_much)
        self.create_service(Trigger, "~/cancel", self._on_cancel)
        self._clock_timer = self.create_timer(0.05, self._watch_clock, clock=STEADY)
        self._diagnostics = Diagnostics(self, model.name, self._report)
        self._say_loading()
        self._worker = threading.Thread(target=self._work, name="agent", daemon=True)
        self._worker.start()

    def close(self) -> None:
        """Stop the arm and end the worker."""
        with self._lock:
            self._closing = True
            self._interrupt("the agent ends")
            self._lock.notify_all()
        self._worker.join(timeout=0.5)
        if self._worker.is_alive():
            # It loads or thinks. Python's own way out would wait for it, or trip over it.
            os._exit(0)

    @property
    def is_ready(self) -> bool:
        """Whether the policy is loaded."""
        return self._agent is not None

    def _on_instruction(self, message: String) -> None:
        if door.stops(message.data):
            self._answer(message.data, "stopped", "stopped")
            return
        with self._lock:
            self._interrupt("another instruction came")
            self._current = self._new_command(message.data)
            self._lock.notify_all()

    def _on_too_much(self, size: int) -> None:
        """Words that are too many to be even read. Like any others they stop what is under way."""
        answer = f"That is {size} bytes; I read at most {door.MAX_CHARACTERS} characters. Say it shorter."
        self._words.refuse(answer)
        self._answer(f"(a message of {size} bytes)", "refused", answer)

    def _answer(self, text: str, state: str, answer: str) -> None:
        """Stop what is under way, and end a new instruction at once, without the worker."""
        with self._lock:
            self._interrupt("stopped" if state == "stopped" else "another instruction came")
            if state == "stopped":
                self._forget()
            self._current = command = self._new_command(text)
            self.get_logger().info(f"instruction: {shown(text)}")
            self._end(command, state, answer)
            if self._agent is None:
                self._say_loading()

    def _new_command(self, text: str) -> _Command:
        self._count += 1
        return _Command(text, f"{self._prefix}-{self._count}")

    def _on_cancel(self, *_: object) -> Trigger.Response:
        with self._lock:
            self._interrupt("cancelled")
            self._forget()
        return Trigger.Response(success=True, message="stopping")

    def _interrupt(self, why: str) -> None:
        """Stop the arm and end the command under way, at once. Call with the lock."""
        command, self._current = self._current, None
        self.arm.stop()  # whatever moves, ours or not, and however busy the worker is
        if command is not None:
            self._say("stopped", why, command)

    def _watch_clock(self) -> None:
        if not self.arm.watch_clock():
            self.get_logger().warning("the clock went backwards: what was seen before is forgotten")
        if self._agent is not None:
            self._agent.max_observation_age_s = self.arm.max_age_s

    def _work(self) -> None:
        # Linux knows the priority of a thread: what thinks does not delay what listens, beats and stops.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 2)
        try:
            before = frozenset(sys.modules)
            policy = self._load()
            self.modules = installed_since(before)
            self.arm.senses.open(senses_of(policy))
            agent = Agent(policy, self.arm, max_observation_age_s=self.arm.max_age_s)
            with self._lock:
                self._agent = agent
                self._say("ready", "tell me what to do")
            self.get_logger().info(f"ready: policy {self._policy_name}")
            while (command := self._next()) is not None:
                self._perform(agent, command)
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
        try:
            policy = make_policy(self._policy_name, options)
        except EmbodiedError:
            raise
        except Exception as error:
            # Starting it again would not mend a module that cannot be imported.
            at = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error} ({at.filename}, line {at.lineno})"
            raise EmbodiedError(f"policy {self._policy_name!r} does not load: {what}") from error
        if PRIVILEGED in policy.needs:
            raise EmbodiedError(f"policy {self._policy_name!r} reads the simulator's truth, which no ROS topic carries")
        return policy

    def _next(self) -> _Command | None:
        with self._lock:
            self._lock.wait_for(lambda: self._current is not None or self._closing)
            return self._current

    def _perform(self, agent: Agent, command: _Command) -> None:
        self.get_logger().info(f"instruction: {shown(command.text)}")

        def check() -> None:
            if self._current is not command:
                raise Interrupted

        def on_state(state: str, text: str, attempt: int) -> None:
            with self._lock:
                check()
                self._say(state, text, command, attempt)

        def on_decision(decision: Decision) -> None:
            check()
            self._decision_ms = decision.timings_ms.get("decide", 0.0)
            self._plan_out.publish(String(data=decision.text))

        self.arm.check = check
        try:
            result = agent.do(command.text, hooks=Hooks(check, on_state, on_decision))
        except Interrupted:
            return  # whoever interrupted has said why
        except EmbodiedError as error:
            self._end(command, "failed", str(error))
        else:
            self._end(command, result.state, result.text)

    def _end(self, command: _Command, state: str, text: str) -> None:
        with self._lock:
            if self._current is command:
                self._current = None
                self._say(state, text, command)
            else:
                self._forget()  # nobody has heard the question, if it was one

    def _forget(self) -> None:
        """What is said next answers nothing. Call with the lock."""
        if self._agent is not None:
            self._agent.forget()

    def _say_loading(self) -> None:
        self._say("loading", f"loading policy {self._policy_name}")

    def _say(self, state: str, text: str, command: _Command | None = None, attempt: int | None = None) -> None:
        text = shown(text, _MOST_SAID)
        with self._lock:
            if command is not None and command.id != self._status["id"]:
                self._status |= {"instruction": shown(command.text), "id": command.id, "attempt": 1}
            if attempt is not None:
                self._status["attempt"] = attempt
            self._status |= {"state": state, "text": text}
            self._status_out.publish(to_json(self._status))
        if state in _TERMINAL:
            self.get_logger().info(f"{state}: {text}")

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        senses = self.arm.senses
        unchanged = senses.unchanged()
        details: dict[str, object] = {
            "policy": self._policy_name,
            "decision_ms": f"{self._decision_ms:.1f}",
            "senses": senses.trouble() or "ok",
            "identical_pictures": ", ".join(f"{topic}: {same_s:.1f} s" for topic, same_s in unchanged.items()),
            "no_stamps": ", ".join(senses.without_stamps()),
            **refusals([self._words, self.arm.gate.inlet, *senses.inlets]),
            "gate": self.arm.gate.blocked or "ready",
        }
        text = f"{self._status['state']}: {self._status['text']}"
        if self.failure is not None:
            return ERROR, text, details
        return WARN if unchanged or details["senses"] != "ok" else OK, text, details


def serve(node: AgentNode, stopping: threading.Event) -> None:
    """Run until told to end, or until the worker fails."""
    common.spin(node, stopping, lambda: node.failure is not None, lambda: node.is_ready, lambda: node.modules)
    node.close()
    if node.failure is not None:
        raise node.failure


def main() -> int:
    """Console entry point."""
    return common.run(AgentNode, serve)


if __name__ == "__main__":
    sys.exit(main())
