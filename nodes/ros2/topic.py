# SPDX-License-Identifier: Apache-2.0
"""Messages on topics: `ros2 topic list | pub | echo | hz`."""

import argparse
import statistics
import time
from collections import deque
from itertools import pairwise
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data

from embodied.errors import EmbodiedError, UnknownNameError
from nodes.common import RELIABLE, spin_until
from nodes.ros2.graph import absolute, hidden_node, wait_for_graph
from nodes.ros2.interfaces import fill, get_interface, to_yaml

KEEP_ALIVE_S = 0.1
WINDOW = 10_000
"""As many messages, at most, count for their rate."""


def list_topics(options: argparse.Namespace) -> int:
    """Print the names of the topics, without the hidden ones, which have a part that begins with "_"."""
    with hidden_node() as node:
        wait_for_graph(node)
        for name, types in sorted(node.get_topic_names_and_types()):
            if "/_" not in name:
                print(f"{name} [{', '.join(types)}]" if options.show_types else name)
    return 0


def pub(options: argparse.Namespace) -> int:
    """Publish: once, or at a rate until Ctrl-C."""
    cls = get_interface(options.message_type, "msg")
    message = fill(cls(), options.values)
    with hidden_node() as node:
        publisher = node.create_publisher(cls, options.topic_name, RELIABLE)
        while options.once and not publisher.get_subscription_count():
            print("Waiting for at least 1 matching subscription(s)...")
            spin_until(node, lambda: publisher.get_subscription_count() > 0, 1.0)
        print("publisher: beginning loop")
        count = 0
        while True:
            count += 1
            print(f"publishing #{count}: {message!r}\n")
            publisher.publish(message)
            if options.once:
                break
            time.sleep(1.0 / options.rate)
        if publisher.get_subscription_count():
            # A subscriber that has not discovered this node yet still gets what it did not acknowledge.
            publisher.wait_for_all_acked(Duration(seconds=1.0))
        time.sleep(KEEP_ALIVE_S)
    return 0


def echo(options: argparse.Namespace) -> int:
    """Print messages as YAML, until Ctrl-C, or the first one."""
    topic = absolute(options.topic_name)
    count = 0

    def show(message: Any) -> None:
        nonlocal count
        count += 1
        if not options.once or count == 1:
            print(to_yaml(message, full=options.full_length), end="---\n")

    with hidden_node() as node:
        given = get_interface(options.message_type, "msg") if options.message_type else None
        cls = given or _type_of(node, topic, patience_s=4.0)
        # What the publishers offer decides: a latched message reaches only who asks for what came before.
        spin_until(node, lambda: node.count_publishers(topic) > 0, 1.0)
        offered = [info.qos_profile for info in node.get_publishers_info_by_topic(topic)]
        reliable = {qos.reliability for qos in offered} == {ReliabilityPolicy.RELIABLE}
        latched = {qos.durability for qos in offered} == {DurabilityPolicy.TRANSIENT_LOCAL}
        profile = QoSProfile(
            depth=10,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        node.create_subscription(cls, topic, show, profile)
        spin_until(node, lambda: options.once and count > 0, None)
    return 0


def hz(options: argparse.Namespace) -> int:
    """Print the rate of a topic each second, until Ctrl-C."""
    topic = absolute(options.topic_name)
    arrivals_s: deque[float] = deque(maxlen=WINDOW + 1)
    with hidden_node() as node:
        cls = _type_of(node, topic, patience_s=None)
        node.create_subscription(
            cls, topic, lambda _: arrivals_s.append(time.monotonic()), qos_profile_sensor_data, raw=True
        )
        printed_s = 0.0
        while True:
            spin_until(node, lambda: False, 1.0)
            if len(arrivals_s) < 2 or arrivals_s[-1] == printed_s:
                continue
            printed_s = arrivals_s[-1]
            intervals_s = [after - before for before, after in pairwise(arrivals_s)]
            print(
                f"average rate: {1.0 / statistics.fmean(intervals_s):.3f}\n"
                f"\tmin: {min(intervals_s):.3f}s max: {max(intervals_s):.3f}s "
                f"std dev: {statistics.pstdev(intervals_s):.5f}s window: {len(intervals_s)}"
            )


def _type_of(node: Node, topic: str, *, patience_s: float | None) -> Any:
    def types() -> list[str]:
        return dict(node.get_topic_names_and_types()).get(topic, [])

    if not spin_until(node, lambda: bool(types()), 1.0):
        print(f"WARNING: topic [{topic}] does not appear to be published yet")
        if not spin_until(node, lambda: bool(types()), patience_s):
            topics = dict(node.get_topic_names_and_types())
            raise UnknownNameError("topic (its type cannot be determined)", topic, topics)
    if len(types()) > 1:
        raise EmbodiedError(f"Cannot tell the type of topic '{topic}': it has more than one: {types()}")
    return get_interface(types()[0], "msg")
