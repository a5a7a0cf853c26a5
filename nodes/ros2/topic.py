# SPDX-License-Identifier: Apache-2.0
"""`ros2 topic list | type | info | pub | echo | hz`."""

from __future__ import annotations

import argparse

from rclpy.node import Node

from embodied.errors import UnknownNameError
from nodes.ros2 import stream
from nodes.ros2.graph import absolute, is_hidden, temporary_node, wait_for_graph, wait_until
from nodes.ros2.qos import add_qos_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments as of the real command."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    sub = verbs.add_parser("list", help="Output a list of available topics")
    sub.add_argument("-t", "--show-types", action="store_true", help="Additionally show the topic type")
    sub.add_argument(
        "-c", "--count-topics", action="store_true", help="Only display the number of topics discovered"
    )
    sub.add_argument("--include-hidden-topics", action="store_true", help="Consider hidden topics as well")
    sub.set_defaults(run=_list)
    for verb, run, meaning in (
        ("type", _type, "Print a topic's type"),
        ("info", _info, "Print information about a topic"),
    ):
        sub = verbs.add_parser(verb, help=meaning)
        sub.add_argument("topic_name", help="Name of the ROS topic (e.g. '/chatter')")
        sub.set_defaults(run=run)
    sub.add_argument("-v", "--verbose", action="store_true", help="Print every endpoint with its QoS profile")
    _add_pub(verbs.add_parser("pub", help="Publish a message to a topic"))
    _add_echo(verbs.add_parser("echo", help="Output messages from a topic"))
    sub = verbs.add_parser("hz", help="Print the average publishing rate to screen")
    sub.add_argument("topic_name", help="Name of the ROS topic to listen to (e.g. '/chatter')")
    sub.add_argument(
        "-w", "--window", type=stream.positive_int, default=10000, help="Window size, in messages"
    )
    sub.set_defaults(run=stream.hz)


def _add_pub(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("topic_name", help="Name of the ROS topic to publish to (e.g. '/chatter')")
    sub.add_argument("message_type", help="Type of the ROS message (e.g. 'std_msgs/String')")
    sub.add_argument("values", nargs="?", default="{}", help="Values to fill the message with in YAML format")
    sub.add_argument(
        "-r", "--rate", type=stream.positive_float, default=1.0, help="Publishing rate in Hz (default: 1)"
    )
    sub.add_argument("-p", "--print", type=int, default=1, help="Only print every N-th published message")
    group = sub.add_mutually_exclusive_group()
    group.add_argument("-1", "--once", action="store_true", help="Publish one message and exit")
    group.add_argument(
        "-t", "--times", type=int, default=0, help="Publish this number of times and then exit"
    )
    sub.add_argument(
        "-w",
        "--wait-matching-subscriptions",
        type=int,
        default=None,
        help="Wait until finding the specified number of matching subscriptions. Defaults to 1 when using "
        '"-1"/"--once"/"--times", otherwise defaults to 0.',
    )
    sub.add_argument(
        "--max-wait-time-secs",
        type=stream.positive_float,
        default=None,
        help="End the wait for subscriptions",
    )
    sub.add_argument(
        "--keep-alive",
        type=stream.positive_float,
        default=0.1,
        help="Stay for N seconds after the last message",
    )
    sub.add_argument("-n", "--node-name", help="Name of the created publishing node")
    add_qos_arguments(sub, "default")
    sub.set_defaults(run=stream.pub)


def _add_echo(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("topic_name", help="Name of the ROS topic to listen to (e.g. '/chatter')")
    sub.add_argument("message_type", nargs="?", help="Type of the ROS message (e.g. 'std_msgs/msg/String')")
    sub.add_argument("--field", help="Echo a selected field of a message; '.' selects sub-fields")
    sub.add_argument(
        "-f", "--full-length", action="store_true", help="Output all elements of arrays and texts"
    )
    sub.add_argument("--once", action="store_true", help="Print the first message received and then exit")
    sub.add_argument("--timeout", type=stream.positive_float, help="End after this many seconds")
    add_qos_arguments(sub, "sensor_data")
    sub.set_defaults(run=stream.echo)


def _topics(node: Node) -> dict[str, list[str]]:
    return dict(node.get_topic_names_and_types())


def _find(node: Node, name: str) -> list[str]:
    if not wait_until(node, lambda: name in _topics(node)):
        raise UnknownNameError("topic", name, _topics(node))
    return _topics(node)[name]


def _list(options: argparse.Namespace) -> int:
    with temporary_node() as node:
        wait_for_graph(node)
        topics = _topics(node)
    names = [name for name in sorted(topics) if options.include_hidden_topics or not is_hidden(name)]
    if options.count_topics:
        print(len(names))
        return 0
    for name in names:
        print(f"{name} [{', '.join(topics[name])}]" if options.show_types else name)
    return 0


def _type(options: argparse.Namespace) -> int:
    with temporary_node() as node:
        print(*_find(node, absolute(options.topic_name)), sep="\n")
    return 0


def _info(options: argparse.Namespace) -> int:
    name = absolute(options.topic_name)
    with temporary_node() as node:
        types = _find(node, name)
        wait_for_graph(node)
        end = "\n\n" if options.verbose else "\n"
        print("Type:", types[0] if len(types) == 1 else types, end=end)
        for kind, count, endpoints in (
            ("Publisher", node.count_publishers(name), node.get_publishers_info_by_topic(name)),
            ("Subscription", node.count_subscribers(name), node.get_subscriptions_info_by_topic(name)),
        ):
            print(f"{kind} count: {count}", end=end)
            for endpoint in endpoints if options.verbose else ():
                print(endpoint, end=end)
    return 0
