# SPDX-License-Identifier: Apache-2.0
"""Of a node what listening and publishing need, without a graph; `sent` holds (topic, message)."""

from __future__ import annotations

from typing import Any


class Node:
    """A node with a clock of its own that shows `now_s`."""

    def __init__(self, now_s: float = 100.0) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.heard: list[str] = []
        self.now_s = now_s
        self.publishers: dict[str, int] = {}

    def create_publisher(self, _: object, topic: str, *__: object) -> Any:
        node = self

        class Publisher:
            def publish(self, message: Any) -> None:
                node.sent.append((topic, message))

        return Publisher()

    def create_subscription(self, _: object, topic: str, *__: object, **___: object) -> None:
        self.heard.append(topic)

    def create_timer(self, *_: object, **__: object) -> None:
        pass

    def resolve_topic_name(self, topic: str) -> str:
        return f"/{topic}"

    def count_publishers(self, topic: str) -> int:
        return self.publishers.get(topic, 0)

    def get_logger(self) -> Any:
        class Logger:
            def warning(self, *_: object, **__: object) -> None:
                pass

        return Logger()

    def get_clock(self) -> Any:
        from rclpy.time import Time

        node = self

        class Clock:
            def now(self) -> Time:
                return Time(nanoseconds=round(node.now_s * 1e9))

        return Clock()
