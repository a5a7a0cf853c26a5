# SPDX-License-Identifier: Apache-2.0
"""A request whose answer is lost is made again, and the first answer that comes counts."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rclpy")


class Client:
    """Its first answers are lost."""

    def __init__(self, lost: int) -> None:
        self.lost, self.asked = lost, 0

    def call_async(self, request: str) -> Any:
        from rclpy.task import Future

        self.asked += 1
        future: Any = Future()
        if self.asked > self.lost:
            future.set_result(f"{request} {self.asked}")
        return future


@pytest.mark.parametrize(("again_s", "lost", "answers"), [(0.0, 0, True), (0.0, 2, True), (60.0, 1, False)])
def test_what_is_lost_is_asked_again(again_s: float, lost: int, answers: bool) -> None:
    from nodes import common

    client: Any = Client(lost)
    asking = common.Asking(client, "stop", again_s)
    done = [asking.done() for _ in range(lost + 1)]
    assert done[-1] == answers and not any(done[:-1])
    if answers:
        assert asking.result() == f"stop {lost + 1}"
    else:
        assert client.asked == 1, "it is not asked while an answer may still come"
