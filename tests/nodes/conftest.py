# SPDX-License-Identifier: Apache-2.0
"""A graph of real processes, and a client that talks to it from inside of the test."""

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PATIENCE_S = 60.0
PARAMETERS = {
    # Slower than time goes: three nodes and a client that listens to all of it are about what two slow cores take.
    "sim_node": (),
    # On a machine that is busy with other things a living node may be silent for longer than 0.3 s.
    "gate_node": ("use_sim_time:=true", "heartbeat_timeout_s:=1.5", "joint_states_timeout_s:=1.5"),
    "agent_node": ("use_sim_time:=true", "policy:=colour_blob", "max_observation_age_s:=2.0"),
}


class Client:
    """Listens to everything that the tests ask about, in a thread of its own."""

    def __init__(self, domain_id: int) -> None:
        import rclpy
        from rclpy.qos import QoSProfile, qos_profile_sensor_data
        from sensor_msgs.msg import JointState
        from std_msgs.msg import Header, String
        from trajectory_msgs.msg import JointTrajectory

        from nodes.common import EVERY_FACT, LATCHED, RELIABLE
        from nodes.executor import make_executor

        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self.node = rclpy.create_node("test_client", context=self._context)
        self.status: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.gate: dict[str, Any] = {}
        self.arm_messages: list[JointTrajectory] = []
        self.joints: deque[tuple[float, np.ndarray]] = deque(maxlen=2000)
        self.stamp_s = 0.0
        self.heartbeat_id: str | None = None

        def on_status(message: String) -> None:
            self.status = json.loads(message.data)
            self.history.append(self.status)

        def on_gate(message: String) -> None:
            self.gate = json.loads(message.data)

        def on_joints(message: JointState) -> None:
            # The last is the finger's.
            self.joints.append((time.monotonic(), np.array(message.position[:-1])))
            self.stamp_s = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9

        def beat() -> None:
            if self.heartbeat_id is not None:
                self._heartbeat.publish(Header(frame_id=self.heartbeat_id))

        self.node.create_subscription(String, "status", on_status, EVERY_FACT)
        self.node.create_subscription(String, "gate_status", on_gate, LATCHED)
        self.node.create_subscription(JointState, "joint_states", on_joints, qos_profile_sensor_data)
        self.node.create_subscription(
            JointTrajectory,
            "arm_controller/joint_trajectory",
            self.arm_messages.append,
            QoSProfile(depth=100),
        )
        self.instruction = self.node.create_publisher(String, "instruction", RELIABLE)
        self.proposal = self.node.create_publisher(JointTrajectory, "proposed_trajectory", RELIABLE)
        self._heartbeat = self.node.create_publisher(Header, "heartbeat", qos_profile_sensor_data)
        self.node.create_timer(0.05, beat)
        self._executor = make_executor(self._context)
        self._executor.add_node(self.node)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def _spin(self) -> None:
        while not self._closing.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"{what}: status {self.status}, gate {self.gate}"
            time.sleep(0.02)

    def call(self, service: str) -> Any:
        """Call a Trigger service; returns its response."""
        from std_srvs.srv import Trigger

        from nodes.common import Asking

        client = self.node.create_client(Trigger, service)
        try:
            assert client.wait_for_service(PATIENCE_S), service
            asking = Asking(client, Trigger.Request())
            self.wait(asking.done, service)
            return asking.result()
        finally:
            self.node.destroy_client(client)

    def set_parameters(self, node: str, **values: Any) -> None:
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        from nodes.common import Asking

        client = self.node.create_client(SetParameters, f"{node}/set_parameters")
        try:
            assert client.wait_for_service(PATIENCE_S), node
            request = SetParameters.Request(
                parameters=[Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
            )
            asking = Asking(client, request)
            self.wait(asking.done, "set_parameters")
            assert all(result.successful for result in asking.result().results)
        finally:
            self.node.destroy_client(client)

    def wait_idle(self) -> None:
        """Until an agent listens that has loaded its policy, and a gate that answers."""
        self.wait(
            lambda: (
                self.instruction.get_subscription_count() > 0
                and self.status.get("state") not in (None, "loading")
                and self.proposal.get_subscription_count() > 0
                and bool(self.joints)
            ),
            "the graph is not ready",
        )

    def say(self, text: str) -> str:
        """Send an instruction; returns its id once the agent has taken it up."""
        self.wait_idle()
        return self.say_at_once(text)

    def say_at_once(self, text: str) -> str:
        """Send an instruction to an agent that may not be ready."""
        from std_msgs.msg import String

        self.wait(lambda: self.instruction.get_subscription_count() > 0, "no agent")
        before = self.status.get("id")
        self.instruction.publish(String(data=text))
        self.wait(
            lambda: self.status.get("id") != before and self.status["instruction"] == text,
            f"not heard: {text}",
        )
        return str(self.status["id"])

    def outcome(self, motion_id: str) -> dict[str, Any]:
        """The last status of the instruction `motion_id`."""
        final = ("done", "refused", "failed", "stopped")

        def ended() -> list[dict[str, Any]]:
            return [s for s in self.history if s["id"] == motion_id and s["state"] in final]

        self.wait(lambda: bool(ended()), f"no outcome of {motion_id}")
        return ended()[-1]

    def does(self, text: str) -> None:
        """Say it, and wait until it is done."""
        outcome = self.outcome(self.say(text))
        assert outcome["state"] == "done", (outcome, self.gate)

    def wait_moving(self, progress: float = 0.15) -> None:
        """Until the arm is well under way."""
        self.wait(
            lambda: self.gate.get("state") == "executing" and self.gate["progress"] > progress,
            "nothing moves",
        )

    def wait_still(self) -> np.ndarray:
        """Until the joints have not moved for half a second of fresh messages; returns where they are."""

        def still() -> bool:
            now = time.monotonic()
            recent = [q for stamp, q in list(self.joints) if now - stamp < 0.5]
            return len(recent) > 5 and np.ptp(recent, axis=0).max() < 2e-3

        self.wait(still, "the arm does not come to rest")
        return self.joints[-1][1]

    def score(self) -> dict[str, Any]:
        """What the simulator knows: is_success, held, touched, objects."""
        found: dict[str, Any] = json.loads(self.call("sim_node/score").message)
        return found

    def objects(self) -> dict[str, np.ndarray]:
        """Where everything lies, by name."""
        return {name: np.array(item["position_m"]) for name, item in self.score()["objects"].items()}


class Graph:
    """sim_node, gate_node and agent_node as processes that can be killed and started one by one."""

    def __init__(self, ros: Any, latch: Path) -> None:
        from embodied.safety import Latch

        assert not Latch(latch).release()
        self._ros = ros
        self._own = {"gate_node": [f"latch_file:={latch}"]}
        self.processes: dict[str, Any] = {}
        self.client = Client(int(ros.env["ROS_DOMAIN_ID"]))

    def start(self, name: str) -> None:
        """Start the node `name` unless it runs."""
        if name not in self.processes:
            parameters = [*PARAMETERS[name], *self._own.get(name, [])]
            arguments = [item for parameter in parameters for item in ("-p", parameter)]
            self.processes[name] = self._ros.start("-m", f"nodes.{name}", "--ros-args", *arguments)

    def kill(self, name: str) -> None:
        import signal

        process = self.processes.pop(name)
        process.send(signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def graph(ros: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    from nodes.dds import local_transport

    # Before the first rclpy.init of this process, and the same as for the children.
    transport = local_transport(os.environ.get("ROS_DISTRO"))
    saved = {name: os.environ.get(name) for name in transport}
    os.environ.update(transport)
    graph = Graph(ros, tmp_path_factory.mktemp("gate") / "stopped")
    try:
        yield graph
    finally:
        graph.client.close()
        for name, value in saved.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@pytest.fixture
def client(graph: Graph) -> Client:
    """The graph, whole, with a fresh scene, and the arm seen at home."""
    from embodied.arm import arm_model

    for name in PARAMETERS:
        graph.start(name)
    client, home = graph.client, arm_model("panda").home_rad
    client.wait_idle()
    assert client.call("sim_node/reset").success
    client.wait(lambda: np.abs(client.joints[-1][1] - home).max() < 0.01, "the arm is not at home")
    client.joints.clear()  # where it was before means nothing now
    return client
