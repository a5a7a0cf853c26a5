# SPDX-License-Identifier: Apache-2.0
"""announce_node: tells the terminal that the graph is ready, and sends the launch's first instruction.

It ends when there is no more to tell. Its exit code is the outcome of the instruction: 0 done, 1 refused,
failed or stopped; 0 without an instruction.
"""

import sys
from collections import deque

from rclpy.node import Node
from std_msgs.msg import String

from embodied.errors import EmbodiedError
from nodes.common import LATCHED, declare, from_json, spin_until, temporary_node
from nodes.conversation import FAILED, SUCCEEDED, Conversation
from nodes.dds import share_no_memory
from nodes.launch_support import USER_ERROR

_PATIENCE_S, _LIMIT_S = 10.0, 60.0
"""Then it is told what is missing; then an instruction is given up."""
STOPPED = "the emergency stop is latched, and nothing moves until you call"


def main() -> int:
    """Console entry point."""
    share_no_memory()
    try:
        with temporary_node("announce_node") as node:
            return announce(node)
    except EmbodiedError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        return SUCCEEDED  # the launch ends


def announce(node: Node) -> int:
    """Wait for the graph, then tell; returns the exit code."""
    what = "what to tell the agent once it is ready; empty: nothing"
    instruction = str(declare(node, "instruction", "", what, read_only=False))
    conversation = Conversation(node, lambda line: print(line, flush=True))
    gate = deque[String](maxlen=1)
    node.create_subscription(String, "gate_status", lambda message: gate.append(message), LATCHED)
    conversation.wait_until_ready(None)

    def is_there() -> bool:
        return complete(node) and bool(gate)

    if not spin_until(node, is_there, _PATIENCE_S):
        print(f"waiting: {missing(node, gate)}", flush=True)
        limit_s = _LIMIT_S - _PATIENCE_S if instruction else None
        if not spin_until(node, is_there, limit_s):
            print(f"given up after {_LIMIT_S:g} s: {missing(node, gate)}", flush=True)
            return FAILED
    if from_json(gate[-1]).get("stopped"):
        service = node.resolve_service_name("gate_node/resume")
        print(f"STOPPED: {STOPPED} ros2 service call {service} std_srvs/srv/Trigger", flush=True)
    print(ready_text(node.get_namespace()), flush=True)
    if not instruction:
        return SUCCEEDED
    print(f"instruction: {instruction}", flush=True)
    return conversation.say(instruction)


def missing(node: Node, gate: deque[String]) -> str:
    """What the graph lacks, in words."""
    arm = node.resolve_topic_name("joint_states")
    if not node.count_publishers(arm):
        return f"nobody publishes {arm}: start the arm's driver, or name its topic with joint_states:="
    blocked = from_json(gate[-1]).get("blocked") if gate else ""
    return str(blocked or "no gate listens: `supervise gate` starts one")


def complete(node: Node) -> bool:
    """Whether an arm speaks and the gate listens: the agent alone is no graph."""
    arm = node.count_publishers(node.resolve_topic_name("joint_states"))
    gate = node.count_subscribers(node.resolve_topic_name("proposed_trajectory"))
    return bool(arm and gate)


def ready_text(namespace: str) -> str:
    """What to type next, for a graph in `namespace`."""
    prefix = namespace.rstrip("/")
    option = f" namespace={prefix}" if prefix else ""
    return (
        "The graph is ready. In another terminal, say what to do:\n"
        f'    embodied say "put the red block in the green bowl"{option}\n'
        f"    ros2 topic pub --once {prefix}/instruction std_msgs/msg/String "
        "\"{data: 'put the red block in the green bowl'}\""
    )


if __name__ == "__main__":
    sys.exit(main())
