# SPDX-License-Identifier: Apache-2.0
"""`embodied say "..."`: an instruction to the running graph, from the terminal."""

from __future__ import annotations

import os
import sys

import rclpy
from rclpy.signals import SignalHandlerOptions

from nodes.conversation import FAILED, NOBODY, Conversation
from nodes.dds import use_local_transport

FOUND_WITHIN_S = 5.0
LOADED_WITHIN_S = 120.0


def say(text: str, namespace: str = "", timeout_s: float = 120.0) -> int:
    """Publish `text` as an instruction and print plan, progress and outcome.

    Returns 0 when the agent did it, 1 when it refused, failed or was stopped, 2 when no agent is running.
    Ctrl-C stops the arm.
    """
    use_local_transport()
    # Ctrl-C stays Python's: it must reach `halt` with a node that still works.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(f"say_{os.getpid()}", namespace=namespace, enable_rosout=False)
    conversation = Conversation(node, lambda line: print(line, flush=True))
    try:
        if not conversation.wait_for_agent(FOUND_WITHIN_S):
            print("no agent is running; start one with: ros2 launch embodied sim.launch.py", file=sys.stderr)
            return NOBODY
        if conversation.status is not None and not conversation.status.ready:
            print(conversation.status, flush=True)
        if not conversation.wait_until_ready(LOADED_WITHIN_S):
            print(f"the agent is not ready after {LOADED_WITHIN_S:g} s", file=sys.stderr)
            return NOBODY
        return conversation.say(text, timeout_s)
    except KeyboardInterrupt:
        conversation.halt()
        return FAILED
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
