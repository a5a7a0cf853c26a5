# SPDX-License-Identifier: Apache-2.0
"""`ros2 node list | info`."""

from __future__ import annotations

import argparse

from rclpy.node import Node

from embodied.errors import UnknownNameError
from nodes.ros2.graph import absolute, is_hidden, node_names, temporary_node, wait_for_graph, wait_until


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments as of the real command."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    sub = verbs.add_parser("list", help="Output a list of available nodes")
    sub.add_argument("-a", "--all", action="store_true", help="Display all nodes even hidden ones")
    sub.add_argument(
        "-c", "--count-nodes", action="store_true", help="Only display the number of nodes discovered"
    )
    sub.set_defaults(run=_list)
    sub = verbs.add_parser("info", help="Output information about a node")
    sub.add_argument("node_name", help="Fully qualified node name to request information")
    sub.add_argument(
        "--include-hidden", action="store_true", help="Display hidden topics and services as well"
    )
    sub.set_defaults(run=_info)


def find(node: Node, name: str) -> tuple[str, str]:
    """Wait for the node `name`; returns its name and namespace. Raises UnknownNameError listing the nodes."""
    full = absolute(name)
    if not wait_until(node, lambda: full in node_names(node, hidden=True)):
        raise UnknownNameError("node", full, node_names(node))
    namespace, _, own = full.rpartition("/")
    return own, namespace or "/"


def _list(options: argparse.Namespace) -> int:
    with temporary_node() as node:
        wait_for_graph(node)
        names = node_names(node, hidden=options.all)
    if options.count_nodes:
        print(len(names))
    elif names:
        print(*names, sep="\n")
    return 0


def _info(options: argparse.Namespace) -> int:
    with temporary_node() as node:
        name, namespace = find(node, options.node_name)
        wait_for_graph(node)
        sections = {
            "Subscribers": node.get_subscriber_names_and_types_by_node,
            "Publishers": node.get_publisher_names_and_types_by_node,
            "Service Servers": node.get_service_names_and_types_by_node,
            "Service Clients": node.get_client_names_and_types_by_node,
        }
        print(absolute(options.node_name))
        for title, get in sections.items():
            rows = [row for row in get(name, namespace) if options.include_hidden or not is_hidden(row[0])]
            print(f"  {title}:")
            print(*(f"    {topic}: {', '.join(types)}" for topic, types in rows), sep="\n")
        print("  Action Servers:\n\n  Action Clients:\n")
    return 0
