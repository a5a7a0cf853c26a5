# SPDX-License-Identifier: Apache-2.0
"""`ros2 service list | type | call`."""

from __future__ import annotations

import argparse

from rclpy.client import Client

from embodied.errors import UnknownNameError
from nodes.ros2.graph import absolute, call, is_hidden, temporary_node, wait_for_graph, wait_until
from nodes.ros2.interfaces import fill, get_interface


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments as of the real command."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    sub = verbs.add_parser("list", help="Output a list of available services")
    sub.add_argument("-t", "--show-types", action="store_true", help="Additionally show the service type")
    sub.add_argument(
        "-c", "--count-services", action="store_true", help="Only display the number of services discovered"
    )
    sub.add_argument(
        "--include-hidden-services", action="store_true", help="Consider hidden services as well"
    )
    sub.set_defaults(run=_list)
    sub = verbs.add_parser("type", help="Output a service's type")
    sub.add_argument(
        "service_name", help="Name of the ROS service to get type (e.g. '/talker/list_parameters')"
    )
    sub.set_defaults(run=_type)
    sub = verbs.add_parser("call", help="Call a service")
    sub.add_argument("service_name", help="Name of the ROS service to call to (e.g. '/add_two_ints')")
    sub.add_argument("service_type", help="Type of the ROS service (e.g. 'std_srvs/srv/Empty')")
    sub.add_argument(
        "values", nargs="?", default="{}", help="Values to fill the service request with in YAML"
    )
    sub.set_defaults(run=_call)


def _list(options: argparse.Namespace) -> int:
    with temporary_node() as node:
        wait_for_graph(node)
        rows = node.get_service_names_and_types()
    rows = [row for row in rows if options.include_hidden_services or not is_hidden(row[0])]
    if options.count_services:
        print(len(rows))
        return 0
    for name, types in rows:
        print(f"{name} [{', '.join(types)}]" if options.show_types else name)
    return 0


def _type(options: argparse.Namespace) -> int:
    name = absolute(options.service_name)
    with temporary_node() as node:
        if not wait_until(node, lambda: name in dict(node.get_service_names_and_types())):
            raise UnknownNameError("service", name, dict(node.get_service_names_and_types()))
        print(*dict(node.get_service_names_and_types())[name], sep="\n")
    return 0


def _call(options: argparse.Namespace) -> int:
    cls = get_interface(options.service_type, "srv")
    request = fill(cls.Request(), options.values)
    with temporary_node() as node:
        client: Client = node.create_client(cls, options.service_name)
        if not wait_until(node, client.service_is_ready, 1.0):
            print("waiting for service to become available...")
            wait_until(node, client.service_is_ready, None)
        print(f"requester: making request: {request!r}\n")
        print(f"response:\n{call(node, client, request)!r}\n")
    return 0
