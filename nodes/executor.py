# SPDX-License-Identifier: Apache-2.0
"""What serves a node: an executor that is told of events, where this ROS has one.

rclpy's usual executor builds anew, for each thing that comes, the list of all that may come. On a slow core three nodes
spend more in that than in what they do; told of events they need about a third of it.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.context import Context
from rclpy.executors import Executor

try:
    from rclpy.experimental.events_executor import EventsExecutor as _Executor
except ImportError:  # ROS 2 Humble
    from rclpy.executors import SingleThreadedExecutor as _Executor


def make_executor(context: Context | None = None) -> Executor:
    """One that serves a node of `context`, or of the process, in the thread that spins it."""
    return _Executor(context=context)


def informed(callback: Callable[[Any, Mapping[str, Any]], None]) -> Callable[..., None]:
    """A callback of a subscription that also takes what the middleware says about a message.

    The executor that is told of events hands both over as one pair, the other one as two arguments.
    """

    def take(*given: Any) -> None:
        message, about = given if len(given) == 2 else given[0]
        callback(message, about)

    # rclpy asks the signature whether anything about the message is wanted.
    take.__signature__ = inspect.signature(callback)  # type: ignore[attr-defined]
    return take
