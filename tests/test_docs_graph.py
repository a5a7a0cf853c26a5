# SPDX-License-Identifier: Apache-2.0
"""The page of the graph says what the nodes declare, publish, hear and serve."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.pages import AGENT_NODE, DOCS, GATE_NODE, LAUNCH_FILES, bare, launch_arguments, read, rows


def graph_facts() -> dict[str, Any]:
    """What the nodes declare, publish, hear and serve; for a process and a domain of its own."""
    import time

    import rclpy
    from rclpy.node import Node
    from rclpy.parameter import Parameter
    from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

    from nodes.agent_node import AgentNode
    from nodes.gate_node import GateNode
    from nodes.sim_node import SimNode

    parameters: dict[str, list[list[Any]]] = {}
    declare = Node.declare_parameter

    def note(node: Any, name: str, value: Any = None, descriptor: Any = None, *rest: Any) -> Any:
        if descriptor is not None and name != "start_type_description_service":  # rclpy's own
            span = [[each.from_value, each.to_value] for each in descriptor.floating_point_range]
            row = [name, value, span, descriptor.read_only, descriptor.description]
            parameters.setdefault(node.get_name(), []).append(row)
        return declare(node, name, value, *([] if descriptor is None else [descriptor]), *rest)

    def kind(cls: type) -> str:
        package, sort, *_ = cls.__module__.split(".")
        return f"{package}/{sort}/{cls.__name__}"

    def quality(profile: Any) -> str:
        words = "reliable" if profile.reliability == ReliabilityPolicy.RELIABLE else "best effort"
        latched = ", latched" if profile.durability == DurabilityPolicy.TRANSIENT_LOCAL else ""
        return f"{words}{latched}, {profile.depth}"

    Node.declare_parameter = note
    rclpy.init()
    policy = Parameter("policy", value="colour_blob")
    agent = AgentNode(namespace="here", parameter_overrides=[policy])
    made = [SimNode(namespace="here"), agent, GateNode(namespace="here")]
    end = time.monotonic() + 30.0
    while sum(each.topic_name.endswith("/pose") for each in agent.subscriptions) < 2:
        assert time.monotonic() < end, "the agent opens no camera"
        time.sleep(0.05)
    topics, services = [], []
    for node in made:
        for way, ends in (("out", node.publishers), ("in", node.subscriptions)):
            for each in ends:
                row = [each.topic_name, kind(each.msg_type), node.get_name(), way]
                topics.append([*row, quality(each.qos_profile)])
        for service in node.services:
            if kind(service.srv_type).startswith("std_srvs/"):  # the others are rclpy's own
                name = service.srv_name.rpartition("/")[2]
                services.append([f"{node.get_name()}/{name}", kind(service.srv_type)])
    diagnostics = {node.get_name(): list(node._report()[2]) for node in made}
    agent.close()
    for node in made:
        node.destroy_node()
    rclpy.try_shutdown()
    return {"parameters": parameters, "topics": topics, "services": services, "diagnostics": diagnostics}


@pytest.fixture(scope="module")
def facts(ros: Any) -> dict[str, Any]:
    code = "import sys; sys.path.insert(0, 'tests'); from test_docs_graph import *; print(json.dumps(graph_facts()))"
    process = ros.start("-c", code)
    assert process.wait() == 0, process.text
    found: dict[str, Any] = json.loads(next(line for line in process.lines if line.startswith("{")))
    return found


def as_table(header: Sequence[str], content: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(line)} |" for line in (header, *content)]
    return "\n".join([lines[0], f"|{'---|' * len(header)}", *lines[1:]])


def parameter_table(facts: Mapping[str, Any], node: str) -> str:
    content = []
    for name, default, span, read_only, description in facts["parameters"][node]:
        limits = " to ".join(f"{limit:g}" for limit in span[0]) if span else ""
        change = "fixed" if read_only else "may change"
        content.append([f"`{name}`", f"`{json.dumps(default)}`", limits, change, description.rstrip(".")])
    return as_table(["parameter", "default", "range", "at run time", "what it is"], content)


def topic_table(facts: Mapping[str, Any]) -> str:
    found: dict[str, dict[str, Any]] = {}
    for topic, kind, node, way, quality in facts["topics"]:
        if topic == "/parameter_events":
            continue
        name = re.sub(r"camera/\w+/", "camera/<name>/", topic.removeprefix("/here/"))
        ends = found.setdefault(name, {"kind": kind, "out": {}, "in": {}})[way]
        ends.setdefault(node, {})[quality] = None
    content = []
    for name, each in sorted(found.items()):
        ends = ["; ".join(f"{n}: {' and '.join(q)}" for n, q in each[way].items()) for way in ("out", "in")]
        content.append([f"`{name}`", f"`{each['kind']}`", *ends])
    return as_table(["topic", "type", "published by", "heard by"], content)


def service_table(facts: Mapping[str, Any], meanings: Mapping[str, str]) -> str:
    content = [[f"`{name}`", f"`{kind}`", meanings.get(name, "")] for name, kind in sorted(facts["services"])]
    return as_table(["service", "type", "what it does"], content)


def launch_table(file: str) -> str:
    found = launch_arguments(file)
    content = [[f"`{name}`", f"`{default}`" if default else "", what] for name, default, what in found]
    return as_table(["argument", "default", "what it is"], content)


@pytest.mark.parametrize("node", ["sim_node", "agent_node", "gate_node"])
def test_the_parameters_are_those_that_the_node_declares(facts: Mapping[str, Any], node: str) -> None:
    wanted = f"\n`{node}`:\n\n{parameter_table(facts, node)}\n\n"
    assert wanted in read(DOCS / "graph.md"), f"the page should say:{wanted}"


def test_the_topics_are_those_that_the_nodes_have(facts: Mapping[str, Any]) -> None:
    wanted = topic_table(facts)
    assert wanted in read(DOCS / "graph.md"), f"the page should say:\n{wanted}"


def test_the_services_are_those_that_the_nodes_have(facts: Mapping[str, Any]) -> None:
    meanings = {bare(row[0]): row[2] for row in rows(DOCS / "graph.md", "service", "type")}
    wanted = service_table(facts, meanings)
    assert wanted in read(DOCS / "graph.md"), f"the page should say:\n{wanted}"
    assert all(meanings.values())


def test_the_keys_of_the_diagnostics_are_those_that_the_nodes_tell(facts: Mapping[str, Any]) -> None:
    told = {bare(row[0]): re.findall(r"`(\w+)`", row[1]) for row in rows(DOCS / "graph.md", "node", "keys")}
    assert told == facts["diagnostics"]


def test_the_encodings_on_the_page_are_those_that_are_read() -> None:
    from nodes.lenses import _NUMBERS
    from nodes.pictures import _ENCODINGS

    text = read(DOCS / "graph.md")
    assert [name for name in (*_ENCODINGS, *_NUMBERS) if name not in text] == []


@pytest.mark.parametrize("file", LAUNCH_FILES)
def test_the_launch_arguments_are_those_that_the_file_declares(file: str) -> None:
    wanted = launch_table(file)
    assert wanted in read(DOCS / "graph.md"), f"the page should say:\n{wanted}"


@pytest.mark.parametrize(
    ("source", "topic", "others"),
    [(AGENT_NODE, "status", {"thinking", "moving", "done", "refused"}), (GATE_NODE, "gate_status", set())],
)
def test_the_states_on_the_page_are_those_that_a_node_says(source: Path, topic: str, others: set[str]):
    said = others.copy()  # those that the loop gives to the agent
    for call in ast.walk(ast.parse(read(source))):
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("self._say", "self._end", "self._status.say"):
            nodes = [node for argument in call.args[:2] for node in ast.walk(argument)]
            said |= {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    text = read(DOCS / "graph.md").partition(f"\n`{topic}` of ")[2]
    listed = re.findall(r"^\| `(\w+)` \|", text.partition("|---|")[2].partition("\n\n")[0], re.MULTILINE)
    assert set(listed) == {word for word in said if re.fullmatch(r"[a-z]+", word)}
