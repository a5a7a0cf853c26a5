# SPDX-License-Identifier: Apache-2.0
"""`ros2 param list | get | set | dump`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import yaml
from rcl_interfaces.msg import Parameter, ParameterType
from rcl_interfaces.srv import GetParameters, ListParameters, SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import get_parameter_value, parameter_value_to_python

from embodied.errors import EmbodiedError, UnknownNameError
from nodes.ros2.graph import (
    FOUND_WITHIN_S,
    absolute,
    call,
    node_names,
    temporary_node,
    wait_for_graph,
    wait_until,
)
from nodes.ros2.interfaces import to_plain
from nodes.ros2.node import find

LABELS: Mapping[int, str] = {
    ParameterType.PARAMETER_BOOL: "Boolean value is:",
    ParameterType.PARAMETER_INTEGER: "Integer value is:",
    ParameterType.PARAMETER_DOUBLE: "Double value is:",
    ParameterType.PARAMETER_STRING: "String value is:",
    ParameterType.PARAMETER_BYTE_ARRAY: "Byte values are:",
    ParameterType.PARAMETER_BOOL_ARRAY: "Boolean values are:",
    ParameterType.PARAMETER_INTEGER_ARRAY: "Integer values are:",
    ParameterType.PARAMETER_DOUBLE_ARRAY: "Double values are:",
    ParameterType.PARAMETER_STRING_ARRAY: "String values are:",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments as of the real command."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    sub = verbs.add_parser("list", help="Output a list of available parameters")
    sub.add_argument("node_name", nargs="?", help="Name of the ROS node")
    sub.set_defaults(run=_list)
    sub = verbs.add_parser("get", help="Get parameter")
    sub.add_argument("node_name", help="Name of the ROS node")
    sub.add_argument("parameter_name", help="Name of the parameter")
    sub.add_argument("--hide-type", action="store_true", help="Hide the type information")
    sub.set_defaults(run=_get)
    sub = verbs.add_parser("set", help="Set parameter")
    sub.add_argument("node_name", help="Name of the ROS node")
    sub.add_argument("parameter_name", help="Name of the parameter")
    sub.add_argument("value", help="Value of the parameter")
    sub.set_defaults(run=_set)
    sub = verbs.add_parser("dump", help="Show all of the parameters of a node in a YAML file format")
    sub.add_argument("node_name", help="Name of the ROS node")
    sub.set_defaults(run=_dump)


def _ask(node: Node, name: str, service: str, cls: Any, request: object) -> Any:
    client: Client = node.create_client(cls, f"{absolute(name)}/{service}")
    if not wait_until(node, client.service_is_ready):
        raise EmbodiedError(
            f"Wait for service timed out waiting for parameter services for node {name} ({FOUND_WITHIN_S} s)"
        )
    try:
        return call(node, client, request)
    finally:
        node.destroy_client(client)


def _names(node: Node, name: str) -> list[str]:
    return sorted(_ask(node, name, "list_parameters", ListParameters, ListParameters.Request()).result.names)


def _values(node: Node, name: str, parameters: list[str]) -> list[Any]:
    request = GetParameters.Request(names=parameters)
    return list(_ask(node, name, "get_parameters", GetParameters, request).values)


def _require(node: Node, name: str, parameter: str) -> None:
    find(node, name)
    valid = _names(node, name)
    if parameter not in valid:
        raise UnknownNameError(f"parameter of {absolute(name)}", parameter, valid)


def _list(options: argparse.Namespace) -> int:
    with temporary_node() as node:
        if options.node_name:
            find(node, options.node_name)
            print(*(f"  {name}" for name in _names(node, options.node_name)), sep="\n")
            return 0
        wait_for_graph(node)
        for name in node_names(node):
            print(f"{name}:", *(f"  {parameter}" for parameter in _names(node, name)), sep="\n")
    return 0


def _get(options: argparse.Namespace) -> int:
    with temporary_node() as node:
        _require(node, options.node_name, options.parameter_name)
        (value,) = _values(node, options.node_name, [options.parameter_name])
    if value.type == ParameterType.PARAMETER_NOT_SET:
        print("Parameter not set.")
        return 0
    plain = to_plain(parameter_value_to_python(value))
    if options.hide_type:
        print(plain)
    else:
        print(LABELS[value.type], plain)
    return 0


def _set(options: argparse.Namespace) -> int:
    parameter = Parameter(name=options.parameter_name, value=get_parameter_value(options.value))
    with temporary_node() as node:
        _require(node, options.node_name, options.parameter_name)
        request = SetParameters.Request(parameters=[parameter])
        (result,) = _ask(node, options.node_name, "set_parameters", SetParameters, request).results
    reason = f": {result.reason}" if result.reason else ""
    if result.successful:
        print(f"Set parameter successful{reason}")
        return 0
    print(f"Setting parameter failed{reason}", file=sys.stderr)
    return 1


def _dump(options: argparse.Namespace) -> int:
    with temporary_node() as node:
        find(node, options.node_name)
        names = _names(node, options.node_name)
        values = _values(node, options.node_name, names)
    tree: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        *groups, leaf = name.split(".")
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[leaf] = to_plain(parameter_value_to_python(value))
    print(yaml.safe_dump({absolute(options.node_name): {"ros__parameters": tree}}, default_flow_style=False))
    return 0
