# SPDX-License-Identifier: Apache-2.0
"""A short-lived node that looks at the graph and asks its nodes: `ros2 node`, `service` and `param`.

There is no daemon that already knows the graph, so each command waits until it has discovered it.
"""

import argparse
import os
import sys
import time
from contextlib import AbstractContextManager
from typing import Any

from rcl_interfaces.msg import Parameter, ParameterType
from rcl_interfaces.srv import GetParameters, ListParameters, SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import get_parameter_value, parameter_value_to_python

from embodied.errors import EmbodiedError, UnknownNameError
from nodes.common import Asking, spin_until, temporary_node
from nodes.ros2.interfaces import fill, get_interface, to_plain

FOUND_WITHIN_S = 5.0
SETTLED_AFTER_S = 0.6
ALONE_AFTER_S = 3.0
_KINDS = ("Boolean", "Integer", "Double", "String")
LABELS = ("", *(f"{kind} value is:" for kind in _KINDS), *(f"{kind} values are:" for kind in ("Byte", *_KINDS)))
"""What `param get` prints before the value, by the number of its ParameterType."""


def hidden_node() -> AbstractContextManager[Node]:
    """A node for the time of one command that the commands do not list."""
    return temporary_node(f"_ros2cli_{os.getpid()}")


def wait_for_graph(node: Node) -> None:
    """Wait until the graph has been discovered: something is there, and no more is coming."""
    changed_s = time.monotonic()
    seen: object = None

    def settled() -> bool:
        nonlocal changed_s, seen
        present = (node_names(node, hidden=True), node.get_topic_names_and_types())
        if present != seen:
            seen, changed_s = present, time.monotonic()
        return time.monotonic() - changed_s > (SETTLED_AFTER_S if len(present[0]) > 1 else ALONE_AFTER_S)

    spin_until(node, settled, FOUND_WITHIN_S)


def node_names(node: Node, *, hidden: bool = False) -> list[str]:
    """Full names of the nodes, sorted."""
    pairs = node.get_node_names_and_namespaces()
    return sorted(f"{space.rstrip('/')}/{name}" for name, space in pairs if hidden or not name.startswith("_"))


def absolute(name: str) -> str:
    """A name as the graph lists it."""
    return name if name.startswith("/") else f"/{name}"


def list_nodes(_: argparse.Namespace) -> int:
    """Print the names of the nodes."""
    with hidden_node() as node:
        wait_for_graph(node)
        for name in node_names(node):
            print(name)
    return 0


def call_service(options: argparse.Namespace) -> int:
    """Call a service, and print what is asked and what is answered."""
    cls = get_interface(options.service_type, "srv")
    request = fill(cls.Request(), options.values)
    with hidden_node() as node:
        client: Client = node.create_client(cls, options.service_name)
        if not spin_until(node, client.service_is_ready, 1.0):
            print("waiting for service to become available...")
            spin_until(node, client.service_is_ready, None)
        print(f"requester: making request: {request!r}\n")
        print(f"response:\n{_answer(node, client, request)!r}\n")
    return 0


def list_parameters(options: argparse.Namespace) -> int:
    """Print the names of the parameters of one node, or of every node."""
    with hidden_node() as node:
        if options.node_name:
            print(*(f"  {name}" for name in _parameters(node, options.node_name)), sep="\n")
            return 0
        wait_for_graph(node)
        for name in node_names(node):
            print(f"{name}:", *(f"  {parameter}" for parameter in _parameters(node, name)), sep="\n")
    return 0


def get_parameter(options: argparse.Namespace) -> int:
    """Print the value of a parameter."""
    with hidden_node() as node:
        _require(node, options)
        request = GetParameters.Request(names=[options.parameter_name])
        (value,) = _ask(node, options.node_name, "get_parameters", GetParameters, request).values
    if value.type == ParameterType.PARAMETER_NOT_SET:
        print("Parameter not set.")
        return 0
    print(LABELS[value.type], to_plain(parameter_value_to_python(value)))
    return 0


def set_parameter(options: argparse.Namespace) -> int:
    """Set a parameter; the node may refuse."""
    parameter = Parameter(name=options.parameter_name, value=get_parameter_value(options.value))
    with hidden_node() as node:
        _require(node, options)
        request = SetParameters.Request(parameters=[parameter])
        (result,) = _ask(node, options.node_name, "set_parameters", SetParameters, request).results
    reason = f": {result.reason}" if result.reason else ""
    if result.successful:
        print(f"Set parameter successful{reason}")
        return 0
    print(f"Setting parameter failed{reason}", file=sys.stderr)
    return 1


def _require(node: Node, options: argparse.Namespace) -> None:
    valid = _parameters(node, options.node_name)
    if options.parameter_name not in valid:
        raise UnknownNameError(f"parameter of {absolute(options.node_name)}", options.parameter_name, valid)


def _parameters(node: Node, name: str) -> list[str]:
    return sorted(_ask(node, name, "list_parameters", ListParameters, ListParameters.Request()).result.names)


def _ask(node: Node, name: str, service: str, cls: Any, request: object) -> Any:
    """Ask the node `name` about its parameters. Raises UnknownNameError that lists the nodes."""
    full = absolute(name)
    if not spin_until(node, lambda: full in node_names(node, hidden=True), FOUND_WITHIN_S):
        raise UnknownNameError("node", full, node_names(node))
    client: Client = node.create_client(cls, f"{full}/{service}")
    if not spin_until(node, client.service_is_ready, FOUND_WITHIN_S):
        raise EmbodiedError(f"node {full} offers no {service} within {FOUND_WITHIN_S:g} s; try again")
    asking = Asking(client, request)
    spin_until(node, asking.done, None)
    return asking.result()


def _answer(node: Node, client: Client, request: object) -> Any:
    future = client.call_async(request)
    spin_until(node, future.done, None)
    if future.result() is None:
        raise RuntimeError(f"Exception while calling service: {future.exception()!r}")
    return future.result()
