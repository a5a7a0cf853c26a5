# SPDX-License-Identifier: Apache-2.0
"""Messages on a topic: publish them, print them, count them."""

from __future__ import annotations

import argparse
import math
import time
from collections import deque
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import qos_profile_sensor_data

from embodied.errors import EmbodiedError, UnknownNameError
from nodes.ros2.graph import absolute, temporary_node, wait_until
from nodes.ros2.interfaces import fill, get_interface, to_yaml
from nodes.ros2.qos import chosen_qos, compatible_qos


def positive_int(text: str) -> int:
    """A whole number above zero, for argparse."""
    value = int(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("value must be a positive integer")
    return value


def positive_float(text: str) -> float:
    """A number above zero, for argparse."""
    value = float(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError("Value must be positive")
    return value


def pub(options: argparse.Namespace) -> int:
    """Publish: once, a number of times, or at a rate until Ctrl-C."""
    cls = get_interface(options.message_type, "msg")
    message = fill(cls(), options.values)
    times = 1 if options.once else options.times
    wanted = options.wait_matching_subscriptions
    wanted = int(times != 0) if wanted is None else wanted
    with temporary_node(options.node_name) as node:
        publisher = node.create_publisher(cls, options.topic_name, chosen_qos(options)[0])
        _wait_for_subscriptions(node, publisher, wanted, options.max_wait_time_secs)
        print("publisher: beginning loop")
        count = 0
        while True:
            count += 1
            if options.print and count % options.print == 0:
                print(f"publishing #{count}: {message!r}\n")
            publisher.publish(message)
            if count == times:
                break
            time.sleep(1.0 / options.rate)
        if publisher.get_subscription_count():
            # A subscriber that has not discovered this node yet still gets what it did not acknowledge.
            publisher.wait_for_all_acked(Duration(seconds=1.0))
        time.sleep(options.keep_alive)
    return 0


def _wait_for_subscriptions(node: Node, publisher: Publisher, wanted: int, limit_s: float | None) -> None:
    start = time.monotonic()
    while publisher.get_subscription_count() < wanted:
        print(f"Waiting for at least {wanted} matching subscription(s)...")
        if limit_s is not None and time.monotonic() - start >= limit_s:
            raise EmbodiedError(
                f"Timed out waiting for subscribers: Expected {wanted} subcribers but only got "
                f"{publisher.get_subscription_count()} subscribers"
            )
        wait_until(node, lambda: publisher.get_subscription_count() >= wanted, 1.0)


def _type_of(node: Node, topic: str, *, patience_s: float | None) -> Any:
    def types() -> list[str]:
        return dict(node.get_topic_names_and_types()).get(topic, [])

    if not wait_until(node, lambda: bool(types()), 1.0):
        print(f"WARNING: topic [{topic}] does not appear to be published yet")
        if not wait_until(node, lambda: bool(types()), patience_s):
            topics = dict(node.get_topic_names_and_types())
            raise UnknownNameError("topic (its type cannot be determined)", topic, topics)
    if len(types()) > 1:
        raise EmbodiedError(f"Cannot echo topic '{topic}', as it contains more than one type: {types()}")
    return get_interface(types()[0], "msg")


def echo(options: argparse.Namespace) -> int:
    """Print messages as YAML, until Ctrl-C, or the first one."""
    topic = absolute(options.topic_name)
    fields = options.field.split(".") if options.field else []
    count = 0

    def show(message: Any) -> None:
        nonlocal count
        count += 1
        if options.once and count > 1:
            return
        value = message
        for field in fields:
            if not hasattr(value, field):
                valid: dict[str, str] = getattr(value, "get_fields_and_field_types", dict)()
                raise UnknownNameError(f"field of {type(value).__name__}", field, valid)
            value = getattr(value, field)
        plain = hasattr(value, "get_fields_and_field_types")
        print(to_yaml(value, full=options.full_length) if plain else f"{value}\n", end="---\n")

    with temporary_node() as node:
        given = get_interface(options.message_type, "msg") if options.message_type else None
        cls = given or _type_of(node, topic, patience_s=4.0)
        profile, explicit = chosen_qos(options)
        if not explicit:
            # Discovery of the publishers decides the profile: give it a moment.
            wait_until(node, lambda: node.count_publishers(topic) > 0, 1.0)
            profile = compatible_qos(node, topic, profile)
        node.create_subscription(cls, topic, show, profile)
        finished = wait_until(node, lambda: options.once and count > 0, options.timeout)
    return 0 if finished or count else 1


def hz(options: argparse.Namespace) -> int:
    """Print the rate of a topic each second, until Ctrl-C."""
    topic = absolute(options.topic_name)
    intervals_s: deque[float] = deque(maxlen=options.window)
    last_s: float | None = None
    printed = arrived = 0

    def note(_: bytes) -> None:
        nonlocal last_s, arrived
        now_s = time.monotonic()
        arrived += 1
        if last_s is not None:
            intervals_s.append(now_s - last_s)
        last_s = now_s

    with temporary_node() as node:
        cls = _type_of(node, topic, patience_s=None)
        node.create_subscription(cls, topic, note, qos_profile_sensor_data, raw=True)
        report_s = time.monotonic() + 1.0
        while True:
            rclpy.spin_once(node, timeout_sec=0.1)
            if time.monotonic() < report_s:
                continue
            report_s += 1.0
            if intervals_s and arrived != printed:
                printed = arrived
                mean_s = sum(intervals_s) / len(intervals_s)
                deviation_s = math.sqrt(
                    sum((value - mean_s) ** 2 for value in intervals_s) / len(intervals_s)
                )
                print(
                    f"average rate: {1.0 / mean_s:.3f}\n"
                    f"\tmin: {min(intervals_s):.3f}s max: {max(intervals_s):.3f}s "
                    f"std dev: {deviation_s:.5f}s window: {len(intervals_s)}"
                )
