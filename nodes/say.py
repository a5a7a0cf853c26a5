# SPDX-License-Identifier: Apache-2.0
"""Tell the running graph what to do and follow it to its outcome."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields

from embodied.config import ConfigError, option, parse
from embodied.language.door import stops
from embodied.text import check_text

FOUND_WITHIN_S = 5.0
STOP_WITHIN_S = 2.0
"""The same for words that stop: whoever does not answer by then is not waited for."""
LOADED_WITHIN_S = 120.0
EXAMPLE = 'embodied say "put the red block in the green bowl"'


@dataclass
class SayOptions:
    """Tell the running graph what to do, and follow it to its outcome; Ctrl-C stops the arm."""

    namespace: str = option("", "namespace of the graph")
    timeout_s: float = option(120.0, "seconds after which the arm is stopped and the command given up")


def main(arguments: Sequence[str]) -> int:
    """Say the words among `arguments`; 0 when it was done."""
    keys = tuple(f"{field.name}=" for field in fields(SayOptions))
    is_option = [argument.startswith((*keys, "--", "-h")) for argument in arguments]
    words = [argument for argument, taken in zip(arguments, is_option, strict=True) if not taken]
    others = [argument for argument, taken in zip(arguments, is_option, strict=True) if taken]
    options = parse(SayOptions, others, command="embodied say", example=EXAMPLE)
    if not words:
        raise ConfigError(f"embodied say needs words. For example: {EXAMPLE}")
    return say(" ".join(words), options.namespace, options.timeout_s)


def say(text: str, namespace: str = "", timeout_s: float = 120.0) -> int:
    """Publish `text` as an instruction and print plan, progress and outcome.

    Returns 0 when the agent did it, 1 when it refused, failed or was stopped, 2 when no agent is running.
    Ctrl-C stops the arm. Raises ConfigError for text that no message can carry.
    """
    if not stops(text):
        check_text(text)
    # Not before the options were read: rclpy starts the interpreter anew.
    from nodes.common import temporary_node
    from nodes.conversation import FAILED, NOBODY, Conversation
    from nodes.dds import share_no_memory

    share_no_memory()
    with temporary_node(f"say_{os.getpid()}", namespace) as node:
        conversation = Conversation(node, lambda line: print(line, flush=True))
        try:
            if not conversation.wait_for_agent(STOP_WITHIN_S if stops(text) else FOUND_WITHIN_S):
                start = "start one with: ros2 launch embodied sim.launch.py"
                print(f"no agent is running; {start}", file=sys.stderr)
                if stops(text):
                    conversation.halt()  # the gate may be there
                return NOBODY
            if stops(text):  # ready or not
                return conversation.say(text, min(timeout_s, STOP_WITHIN_S))
            if conversation.status is not None and not conversation.status.ready:
                print(conversation.status, flush=True)
            if not conversation.wait_until_ready(LOADED_WITHIN_S):
                print(f"the agent is not ready after {LOADED_WITHIN_S:g} s", file=sys.stderr)
                return NOBODY
            return conversation.say(text, timeout_s)
        except KeyboardInterrupt:
            if stops(text) or not conversation.is_alone:
                print("stopping the arm", flush=True)
                conversation.halt()
            return FAILED
