# SPDX-License-Identifier: Apache-2.0
"""One instruction to the running agent, followed to its outcome."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from rclpy.client import Client
from rclpy.duration import Duration
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from embodied.language.door import plain, stops
from embodied.safety.latch import LATCHED as LATCHED_WORDS
from embodied.safety.latch import Latch
from embodied.text import check_text, shown
from nodes.common import EVERY_FACT, LATCHED, RELIABLE, Asking, from_json, interrupted_after, spin_until, steady_s
from nodes.launch_support import existing_latch_files

SUCCEEDED, FAILED, NOBODY = 0, 1, 2
"""Exit codes: done; refused, failed or stopped; no agent to talk to."""
STATES = ("loading", "ready", "thinking", "moving", "done", "refused", "failed", "stopped")
"""What an agent can be about."""
_MOST_TOLD = 2000
_TRIES, _ANSWER_S = 4, 0.4
"""How often something is asked of a node, and how long its answer is waited for each time."""
_GATE_S = 0.8
"""A gate that is silent for so long does not hear either."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What the agent says about itself and about one instruction."""

    state: str  # one of STATES
    text: str = ""
    instruction: str = ""
    id: str = ""

    @property
    def ready(self) -> bool:
        """Whether the agent has loaded its policy: without an instruction, "failed" is about that."""
        return self.state != "loading" and not (self.state == "failed" and not self.id)

    @property
    def final(self) -> bool:
        """Whether the instruction has come to its end."""
        return self.state in ("done", "refused", "failed", "stopped")

    def __str__(self) -> str:
        return f"{self.state}: {shown(self.text, _MOST_TOLD)}" if self.text else self.state


class Conversation:
    """Talks to the agent through `node`, with names relative to its namespace."""

    def __init__(self, node: Node, show: Callable[[str], None]) -> None:
        self._node = node
        self._show = show
        self._heard: deque[Status] = deque()
        self._plan: str | None = None
        self._following = False
        self.status: Status | None = None
        self._instruction = node.create_publisher(String, "instruction", RELIABLE)
        node.create_subscription(String, "status", self._on_status, EVERY_FACT)
        node.create_subscription(String, "plan", self._on_plan, RELIABLE)
        self._gate_s = float("-inf")
        self._latch_file: Path | None = None
        node.create_subscription(String, "gate_status", self._on_gate, LATCHED)
        self._cancel: Client = node.create_client(Trigger, "agent_node/cancel")
        self._stop: Client = node.create_client(Trigger, "gate_node/stop")

    def wait_for_agent(self, timeout_s: float | None) -> bool:
        """Wait until an agent listens and has said how it is."""
        return self._wait(lambda: self._listens() and self.status is not None, timeout_s)

    def wait_until_ready(self, timeout_s: float | None) -> bool:
        """Wait until an agent has loaded its policy."""
        return self._wait(lambda: self._listens() and self.status is not None and self.status.ready, timeout_s)

    def say(self, text: str, timeout_s: float | None = None) -> int:
        """Send `text` and follow it; returns the exit code. The agent must be there.

        Raises ConfigError for text that no message can carry.
        """
        # A stop is a stop however it was typed.
        text = plain(text) if stops(text) else text
        check_text(text)
        previous_id = self.status.id if self.status is not None else ""
        self._heard.clear()
        self._following = True
        self._instruction.publish(String(data=text))
        self._instruction.wait_for_all_acked(Duration(seconds=1.0))
        end = None if timeout_s is None else steady_s() + timeout_s
        own: Status | None = None
        while True:
            if not self._wait(lambda: bool(self._heard), None if end is None else end - steady_s()):
                self._show(f"no outcome within {timeout_s:g} s; the arm is being stopped")
                return SUCCEEDED if self.halt() and stops(text) else FAILED
            status = self._heard.popleft()
            if status.state == "loading" or (own is not None and status.state == "ready"):
                if stops(text):  # nobody has to say that again
                    return SUCCEEDED if self.halt() else FAILED
                self._show("the agent was started anew; say it again")
                return FAILED
            if own is None and (status.id == previous_id or status.instruction.strip() != shown(text).strip()):
                continue
            if own is not None and status.id != own.id:
                self._show(f"another instruction came in between: '{shown(status.instruction)}'")
                return FAILED
            own = status
            self._show(str(status))
            if status.final:
                if stops(text) and not self._gate_speaks():
                    self._shut()
                wanted = "stopped" if stops(text) else "done"
                return SUCCEEDED if status.state == wanted else FAILED

    def forget(self) -> bool:
        """What is said next is a command of its own, and no answer; whether the agent has heard it."""
        return self._trigger(self._cancel)

    @property
    def is_alone(self) -> bool:
        """Whether neither an agent nor a gate was heard."""
        return self.status is None and self._gate_s == float("-inf")

    def halt(self) -> bool:
        """Stop the arm: the agent gives up its instruction; if it or the gate does not answer, the gate shuts.

        Whether somebody has answered that it is so. A Ctrl-C meanwhile, by somebody in haste, comes when it is done.
        """
        with interrupted_after():
            if self._trigger(self._cancel) and self._gate_speaks():
                self._show("stopped")
                return True
            return self._shut()

    def _shut(self) -> bool:
        """The emergency stop: the gate is told, and answers, or finds it in its file when it is back."""
        resume = f"`ros2 service call {self._node.resolve_service_name('gate_node/resume')} std_srvs/srv/Trigger`"
        if self._trigger(self._stop):
            self._show(f"the gate stopped the arm and stays shut until {resume}")
            return True
        paths = existing_latch_files(self._node.get_namespace())
        # Anyone may say anything on a topic: what is named there has to be such a file already.
        if self._latch_file is not None and Latch(self._latch_file).read() in ("", LATCHED_WORDS):
            paths = [self._latch_file]
        complaints = [complaint for path in paths if (complaint := Latch(path).stop())]
        if complaints or not paths:
            complaint = "; ".join(complaints) or "no launch has left a file to write it to"
            self._show(f"the gate does not answer: without it, the arm holds where it is ({complaint})")
        else:
            says = f"{' and '.join(map(str, paths))} {'say' if len(paths) > 1 else 'says'} stopped"
            self._show(f"the gate does not answer: {says}, so that it is shut when it is back, until {resume}")
        return False

    def _gate_speaks(self) -> bool:
        """Whether the gate, which speaks ten times a second, does so now, or there is none."""
        began_s = steady_s()
        if self._wait(lambda: self._gate_s > began_s, _GATE_S):
            return True
        # Where there is none, and never was, the agent's word is all that there is. One that hangs is not to be seen by
        # who comes later, but the launch that began it has left a file.
        seen = self._gate_s > 0.0 or self._node.count_publishers(self._node.resolve_topic_name("gate_status"))
        return not seen and not existing_latch_files(self._node.get_namespace())

    def _trigger(self, client: Client) -> bool:
        if not self._wait(client.service_is_ready, 1.0):
            return False
        asking = Asking(client, Trigger.Request(), again_s=_ANSWER_S)
        if not self._wait(asking.done, _TRIES * _ANSWER_S):
            return False
        answer = asking.result()
        return answer is not None and bool(answer.success)

    def _listens(self) -> bool:
        return bool(self._instruction.get_subscription_count())

    def _on_status(self, message: String) -> None:
        values = from_json(message)
        told = {field.name: values.get(field.name, "") for field in fields(Status)}
        if told["state"] not in STATES or not all(isinstance(value, str) for value in told.values()):
            return  # not the agent's: anyone may publish here
        self.status = Status(**told)
        self._heard.append(self.status)

    def _on_gate(self, message: String) -> None:
        self._gate_s = steady_s()
        path = from_json(message).get("latch_file")
        if isinstance(path, str) and path:
            self._latch_file = Path(path)

    def _on_plan(self, message: String) -> None:
        if self._following and message.data != self._plan:
            self._show(f"plan: {shown(message.data)}")
        self._plan = message.data

    def _wait(self, condition: Callable[[], bool], timeout_s: float | None) -> bool:
        return spin_until(self._node, condition, timeout_s)
