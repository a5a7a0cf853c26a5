# SPDX-License-Identifier: Apache-2.0
"""A short-lived node that looks at the graph.

There is no daemon that already knows the graph, so each command waits until it has discovered it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rclpy
from rclpy.client import Client
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

NAME_PREFIX = "_ros2cli"
FOUND_WITHIN_S = 5.0
SETTLED_AFTER_S = 0.6
ALONE_AFTER_S = 3.0


@contextmanager
def temporary_node(name: str | None = None) -> Iterator[Node]:
    """A node for the time of one command; hidden unless it is given a name."""
    # Ctrl-C stays Python's: it ends waiting loops too.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = rclpy.create_node(name or f"{NAME_PREFIX}_{os.getpid()}", enable_rosout=False)
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def wait_until(node: Node, condition: Callable[[], bool], timeout_s: float | None = FOUND_WITHIN_S) -> bool:
    """Spin until `condition` holds; returns whether it does."""
    end = None if timeout_s is None else time.monotonic() + timeout_s
    while not condition():
        if end is not None and time.monotonic() > end:
            return False
        rclpy.spin_once(node, timeout_sec=0.05)
    return True


def wait_for_graph(node: Node) -> None:
    """Wait until the graph has been discovered: something is there, and no more is coming."""
    start = changed = time.monotonic()
    seen: object = None
    while True:
        now = time.monotonic()
        present = (node_names(node, hidden=True), node.get_topic_names_and_types())
        if present != seen:
            seen, changed = present, now
        alone = len(present[0]) <= 1
        if now - start > FOUND_WITHIN_S or now - changed > (ALONE_AFTER_S if alone else SETTLED_AFTER_S):
            return
        rclpy.spin_once(node, timeout_sec=0.05)


def node_names(node: Node, *, hidden: bool = False) -> list[str]:
    """Full names of the nodes, sorted."""
    pairs = node.get_node_names_and_namespaces()
    return sorted(
        f"{space.rstrip('/')}/{name}" for name, space in pairs if hidden or not name.startswith("_")
    )


def is_hidden(name: str) -> bool:
    """Whether a topic or service is hidden: a part of its name begins with an underscore."""
    return any(part.startswith("_") for part in name.split("/"))


def absolute(name: str) -> str:
    """A name as the graph lists it."""
    return name if name.startswith("/") else f"/{name}"


def call(node: Node, client: Client, request: object) -> object:
    """Call a service and wait for its answer. Raises RuntimeError if the call failed."""
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future)
    if future.result() is None:
        raise RuntimeError(f"Exception while calling service: {future.exception()!r}")
    return future.result()
