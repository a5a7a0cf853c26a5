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
from rclpy.client import Client
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import InvalidParameterTypeException, ParameterException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from std_msgs.msg import String

from embodied.errors import EmbodiedError, UnknownNameError
from nodes.dds import use_local_transport
from nodes.executor import make_executor
from nodes.launch_support import USER_ERROR
from nodes.notify import Notifier

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

_ENDING = (signal.SIGINT, signal.SIGTERM)
_MOST_JSON = 1 << 16
"""Characters of a record; more is none of ours."""

ASK_AGAIN_S = 15.0
"""Longer than a slow machine takes to answer."""
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
    """Declare a parameter, which is read once unless it is not `read_only`, and return its value.

    An integer is a number, as YAML files write them, where the default is one or is a list of them.
    """
    descriptor = ParameterDescriptor(description=description, read_only=read_only)
    if low is not None and high is not None:
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    try:
        return node.declare_parameter(name, default, descriptor).value
    except InvalidParameterTypeException:
        given = node.declare_parameter(name, descriptor=ParameterDescriptor(dynamic_typing=True)).value
        node.undeclare_parameter(name)
        if isinstance(default, float) and type(given) is int:
            value: Any = float(given)
        elif isinstance(default, list) and isinstance(default[0], float) and _is_integers(given):
            value = [float(number) for number in given]
        else:
            raise
        return node.declare_parameter(name, value, descriptor, ignore_override=True).value


def _is_integers(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(type(item) is int for item in value)


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
        with interrupted_after():
            rclpy.spin_once(node, timeout_sec=0.05)
    return True


class Asking:
    """A request that may be made twice, and is where no answer comes for `again_s`: a server that has not met a client
    by its answer gives it to nobody, and among too much that comes one may be lost."""

    def __init__(self, client: Client, request: object, again_s: float = ASK_AGAIN_S) -> None:
        self._client, self._request, self._again_s = client, request, again_s
        self._calls: list[Future] = []
        self._asked_s = float("-inf")

    def done(self) -> bool:
        """Whether an answer came; asks, and asks again, in between."""
        if steady_s() - self._asked_s > self._again_s:
            self._calls.append(self._client.call_async(self._request))
            self._asked_s = steady_s()
        return any(call.done() for call in self._calls)

    def result(self) -> Any:
        """The answer. Raises what the call raised."""
        return next(call.result() for call in self._calls if call.done())


@contextmanager
def interrupted_after() -> Iterator[None]:
    """Ctrl-C, or SIGTERM, comes at the end of the block: in the midst of rclpy it ends as an error of another kind, or
    is lost."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python's signals are those of the main thread
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came and callable(handler := before[signal.Signals(came[0])]):
            handler(came[0], None)


_HINTS = {
    "params file": "a params file reads gate_node: {ros__parameters: {heartbeat_timeout_s: 0.5}}, in YAML",
    "same type": "a list of numbers is written with a point in each, as [0.0, -0.4, 0.02]",
    "parameter override": "a parameter is given as -p heartbeat_timeout_s:=0.5",
    "__ns:=": "a namespace is / and names of letters, digits and _ that begin with no digit, as /left/arm",
    "logging directory": "set HOME, or ROS_LOG_DIR to a folder that you may write to",
}
"""Part of what ROS says -> what is valid."""


def initialise(args: Sequence[str] | None = None) -> None:
    """`rclpy.init` with our transport, and with Python's signals. Raises EmbodiedError for bad arguments."""
    use_local_transport()
    # The launch holds Ctrl-C back until here.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        # rclpy's own handlers pull the context away from under whatever is being published just then.
        rclpy.init(args=None if args is None else list(args), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        rclpy.try_shutdown()
        text = str(error).partition(", at /")[0].replace("failed to initialize rcl: ", "")
        text = f"unknown ROS arguments {text}" if text.startswith("[") else text
        hints = [hint for part, hint in _HINTS.items() if part in str(error)]
        raise EmbodiedError("; ".join([text, *hints[-1:]])) from error


@contextmanager
def temporary_node(name: str, namespace: str = "") -> Iterator[Node]:
    """A node that only talks to others, for the time of one command.

    Ctrl-C stays Python's: it ends waiting loops too, and whoever catches it has a node that still works.
    """
    initialise()
    try:
        node = rclpy.create_node(name, namespace=namespace, enable_rosout=False)
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def spin(
    node: Node,
    stopping: threading.Event,
    failed: Callable[[], bool] = lambda: False,
    ready: Callable[[], bool] = lambda: True,
    modules: Callable[[], str] = lambda: "",
) -> None:
    """Serve `node` until it is told to end, or has failed; once it is ready it tells what `modules` made it slow."""
    executor, notifier = make_executor(), Notifier()
    executor.add_node(node)
    while not (stopping.is_set() or failed()):
        notifier.beat(ready=ready(), modules=modules())
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
    stopping = threading.Event()
    for number in _ENDING:
        signal.signal(number, lambda *_: stopping.set())
    node = None
    try:
        initialise(args)
        node = make()
        _name_unknown(node)
        return serve(node, stopping) or 0
    except (EmbodiedError, ParameterException) as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def _name_unknown(node: Node) -> None:
    """A typo in a parameter's name is not silent; a file for several nodes may well have others' names."""
    names = [parameter for parameter in node._parameter_overrides if not node.has_parameter(parameter)]
    for name in names:
        error = UnknownNameError("parameter, which changes nothing,", name, node._parameters)
        node.get_logger().warning(str(error))
