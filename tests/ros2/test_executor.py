# SPDX-License-Identifier: Apache-2.0
"""A callback hears the same of either executor, and what it raises ends whoever spins."""

import json
from pathlib import Path

import pytest

NODE = str(Path(__file__).with_name("executor_node.py"))


@pytest.mark.parametrize("executor", ["ours", "usual"])
def test_messages_come_in_order_with_the_number_that_their_publisher_gave_them(ros, executor):
    node = ros.start(NODE, executor)
    assert node.wait() == 0, node.text
    said, numbers = zip(*json.loads(node.lines[-1]), strict=True)
    assert said == tuple(str(i) for i in range(len(said)))
    assert [number - numbers[0] for number in numbers] == list(range(len(numbers)))


def test_what_a_callback_raises_is_not_swallowed(ros):
    node = ros.start(NODE, "fail")
    assert node.wait() == 1
    assert node.lines[-1] == "ValueError: what a callback raises"
