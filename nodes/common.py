# SPDX-License-Identifier: Apache-2.0
"""What every node shares: quality of service, parameters, diagnostics, waiting, a clean way in and out."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

from embodied.errors import EmbodiedError
from nodes.dds import use_local_transport
from nodes.launch_support import USER_ERROR

if TYPE_CHECKING:
    from embodied.arm import ArmModel
    from embodied.safety import ClockScale

# A profile keeps the last `depth` messages and, unless it says otherwise, is reliable and volatile.
RELIABLE = QoSProfile(depth=10)
COMMAND = QoSProfile(depth=1)
"""For commands of which only the newest counts."""
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
"""For listening to sensors: what a busy process has not read yet is replaced by what is newer."""
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""For facts: whoever comes later gets the last one."""
EVERY_FACT = QoSProfile(depth=50, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""For listening to facts of which each counts, however quickly the next one follows."""

_MOST_JSON = 1 << 16
"""Characters of a record; more is none of ours."""

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
OK: bytes = DiagnosticStatus.OK
WARN: bytes = DiagnosticStatus.WARN
ERROR: bytes = DiagnosticStatus.ERROR


def steady_s() -> float:
    """Seconds on the steady clock of this machine."""
    return time.monotonic()


def declare(
    node: Node,
    name: str,
    default: Any,
    description: str,
    *,
    read_only: bool = True,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """Declare a parameter, which is read once unless it is not `read_only`, and return its value."""
    descriptor = ParameterDescriptor(description=description, read_only=read_only)
    if low is not None and high is not None:
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return node.declare_parameter(name, default, descriptor).value


def declare_arm(node: Node) -> ArmModel:
    """Declare the parameters `arm` and `cell`, and return the model that they name. Raises EmbodiedError."""
    from embodied.arm import ARMS, DEFAULT_ARM, arm_model

    description = f"the arm: {', '.join(ARMS.names())}, or the path of its YAML file"
    place = "YAML file of the arm's place: workspace_*, reach_*, keep_out, table_m; empty: as the arm's own file says"
    return arm_model(str(declare(node, "arm", DEFAULT_ARM, description)), str(declare(node, "cell", "", place)))


def now_s(node: Node) -> float:
    """Seconds on the clock of the graph, which stamps observations: ROS time."""
    return float(node.get_clock().now().nanoseconds) * 1e-9


def clock_scale(node: Node) -> ClockScale:
    """How fast the clock of `node` runs. One that is not simulated is never fast, but it may be set."""
    from embodied.safety import ClockScale

    return ClockScale() if node.get_parameter("use_sim_time").value else ClockScale(highest=1.0)


def to_json(values: Mapping[str, object]) -> String:
    """A small record as text that a person can read on the topic."""
    return String(data=json.dumps(values))


def from_json(message: String) -> dict[str, Any]:
    """The record of `to_json`; empty for text that is none: anyone may publish anything."""
    try:
        values = json.loads(message.data) if len(message.data) <= _MOST_JSON else {}
    except (ValueError, RecursionError):  # the latter where it is nested too deep
        return {}
    return values if isinstance(values, dict) else {}


class Diagnostics:
    """Publishes one status of this node on `/diagnostics` once in a second of steady time.

    `report` gives the level, a sentence, and details.
    """

    def __init__(
        self, node: Node, hardware_id: str, report: Callable[[], tuple[bytes, str, Mapping[str, object]]]
    ) -> None:
        self._node, self._hardware_id, self._report = node, hardware_id, report
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", RELIABLE)
        self._timer = node.create_timer(1.0, self._publish, clock=STEADY)

    def _publish(self) -> None:
        level, message, details = self._report()
        status = DiagnosticStatus(
            level=level,
            name=f"{self._node.get_name()}: state",
            message=message,
            hardware_id=self._hardware_id,
            values=[KeyValue(key=key, value=str(value)) for key, value in details.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)


def spin_until(node: Node, condition: Callable[[], bool], timeout_s: float | None) -> bool:
    """Serve `node` until the condition holds; False where it does not within `timeout_s`, None: for ever."""
    end_s = None if timeout_s is None else steady_s() + timeout_s
    while not condition():
        if end_s is not None and steady_s() > end_s:
            return False
        rclpy.spin_once(node, timeout_sec=0.05)
    return True


@contextmanager
def temporary_node(name: str, namespace: str = "") -> Iterator[Node]:
    """A node that only talks to others, for the time of one command.

    Ctrl-C stays Python's: it ends waiting loops too, and whoever catches it has a node that still works.
    """
    use_local_transport()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = rclpy.create_node(name, namespace=namespace, enable_rosout=False)
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def spin(node: Node, stopping: threading.Event, failed: Callable[[], bool] = lambda: False) -> None:
    """Serve `node` until it is told to end, or has failed."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not (stopping.is_set() or failed()):
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()


def run(
    make: Callable[[], Node],
    serve: Callable[[Any, threading.Event], int | None] = spin,
    args: Sequence[str] | None = None,
) -> int:
    """The life of a node process: its exit code is USER_ERROR where the user must change something, else 0.

    `serve` runs the node until the event is set, by Ctrl-C or SIGTERM, or until it gives another exit code.
    """
    use_local_transport()
    stopping = threading.Event()
    # rclpy's own handlers pull the context away from under whatever is being published just then.
    rclpy.init(args=list(args) if args is not None else None, signal_handler_options=SignalHandlerOptions.NO)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    node = None
    try:
        node = make()
        return serve(node, stopping) or 0
    except (EmbodiedError, ParameterException) as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
