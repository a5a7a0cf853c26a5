# SPDX-License-Identifier: Apache-2.0
"""Hears what it says, served by one executor or the other; `fail` fails in a callback."""

import json
import sys

from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import deserialize_message
from std_msgs.msg import String

from nodes.common import RELIABLE, STEADY, temporary_node
from nodes.executor import informed, make_executor

COUNT = 20


def main() -> None:
    heard: list[tuple[str, int]] = []
    with temporary_node("hears_itself") as node:

        def hear(data: bytes, about) -> None:
            if "fail" in sys.argv:
                raise ValueError("what a callback raises")
            heard.append((deserialize_message(data, String).data, about["publication_sequence_number"]))

        node.create_subscription(String, "said", informed(hear), RELIABLE, raw=True)
        voice = node.create_publisher(String, "said", RELIABLE)
        said = iter(range(COUNT))
        node.create_timer(0.01, lambda: [voice.publish(String(data=str(next(said, -1))))], clock=STEADY)
        executor = SingleThreadedExecutor() if "usual" in sys.argv else make_executor()
        executor.add_node(node)
        while len(heard) < COUNT:
            executor.spin_once(timeout_sec=0.1)
        executor.shutdown()
    print(json.dumps(heard[:COUNT]))


if __name__ == "__main__":
    main()
