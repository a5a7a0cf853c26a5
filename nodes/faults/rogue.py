# SPDX-License-Identifier: Apache-2.0
"""Others who speak in this graph: to the arm, as a second gate, as a second agent, in the agent's name."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from nodes.common import steady_s
from nodes.faults.saboteur import Order
from nodes.faults.trial import Bench, Fault, Found, since_ms

SEEN_MS = 500.0
REST_MS = 600.0
_WAIT_S = 4.0


def _stopped(bench: Bench, began_s: float, words: str) -> Found:
    """That the gate saw it, said so, brought the arm to rest, and takes no motion while it lasts."""
    watch = bench.watch
    watch.wait(lambda: words in str(watch.gate_now.get("blocked")), _WAIT_S)
    watch.wait(lambda: False, 0.7)
    said = [
        word.came_s
        for word in watch.gate
        if word.came_s > began_s and words in f"{word.values.get('blocked')} {word.values.get('reason')}"
    ]
    found = Found(checks={"seen_and_said": bool(said)}, note=str(watch.gate_now.get("blocked")))
    if said:
        found.values["seen_ms"] = since_ms(began_s, said[0])
        found.checks["in_time"] = found.values["seen_ms"] <= SEEN_MS
    rest_s = watch.rest_s(began_s)
    found.values["rest_ms"] = since_ms(began_s, rest_s)
    found.checks["at_rest"] = found.values["rest_ms"] <= max(REST_MS, found.values.get("seen_ms", 0.0) + REST_MS)
    return found


def _writer_in_motion(bench: Bench, number: int) -> Found:
    bench.start_moving(number)
    began_s = steady_s()
    bench.watch.order(Order(write_hz=20.0, write_rad=0.0))
    return _stopped(bench, began_s, "something else")


def _writer_at_rest(bench: Bench, number: int) -> Found:
    """It drives the arm; how far that gets before it is held."""
    watch = bench.watch
    bench.plain_episode(number)
    watch.wait(lambda: False, 0.5)
    began_s = steady_s()
    watch.order(Order(write_hz=1.0))
    found = _stopped(bench, began_s, "something else")
    found.values["moved_rad"] = round(watch.moved_rad(began_s), 3)
    return found


def _second_gate(bench: Bench, number: int) -> Found:
    bench.start_moving(number, until=0.02)
    return _second(bench, "nodes.gate_node", "second gate")


def _second_agent(bench: Bench, number: int) -> Found:
    bench.start_moving(number, until=0.02)
    return _second(bench, "nodes.agent_node", "second agent", "-p", "policy:=colour_blob")


def _second(bench: Bench, module: str, words: str, *more: str) -> Found:
    watch, graph = bench.watch, bench.graph
    other = graph.start(module, "--ros-args", "-p", "use_sim_time:=true", *more, XDG_RUNTIME_DIR="/tmp")
    try:

        def seen() -> bool:
            return any(words in f"{word.values.get('blocked')} {word.values.get('reason')}" for word in watch.gate)

        found = Found(checks={"seen_and_said": watch.wait(seen, 12.0)}, note=str(watch.gate_now.get("blocked")))
        watch.wait(lambda: watch.gate_now.get("state") != "executing", 10.0)
        found.checks["at_rest"] = watch.wait(lambda: watch.rest_s(steady_s() - 0.5) < float("inf"), 3.0)
    finally:
        graph.end(other)
    bench.wait_ready(30.0)
    bench.start_moving(0, until=0.05)
    found.checks["works_again"] = True
    return found


def _foreign_heartbeat(bench: Bench, number: int) -> Found:
    """The agent hangs, and another beats in the name of no motion: the arm must not go on."""
    return _beat(bench, number, lambda now: "someone-else")


def _forged_heartbeat(bench: Bench, number: int) -> Found:
    """The same in the name of the motion under way, which everyone may read."""
    return _beat(bench, number, lambda now: str(now["id"]))


def _beat(bench: Bench, number: int, name: Callable[[dict[str, Any]], str]) -> Found:
    watch = bench.watch
    bench.start_moving(number, until=0.1)
    watch.order(Order(beat_as=name(watch.gate_now)))
    began_s = steady_s()
    bench.graph.signal("agent", signal.SIGSTOP)
    watch.wait(lambda: False, 1.0)
    rest_s = watch.rest_s(began_s)
    bench.graph.signal("agent", signal.SIGCONT)
    watch.order(Order())
    found = Found(values={"rest_ms": since_ms(began_s, rest_s)})
    found.checks["at_rest"] = found.values["rest_ms"] <= 650.0
    states = [word.values for word in watch.gate if word.came_s > began_s and word.values.get("state") == "aborted"]
    found.note = str(states[0]["reason"]) if states else "nothing was said"
    return found


FAULTS = (
    Fault(family="rogue", name="writer_in_motion", trials=10, run=_writer_in_motion),
    Fault(family="rogue", name="writer_at_rest", trials=10, run=_writer_at_rest),
    Fault(family="rogue", name="second_gate", trials=5, run=_second_gate),
    Fault(family="rogue", name="second_agent", trials=5, brief=0, run=_second_agent),
    Fault(family="rogue", name="foreign_heartbeat", trials=5, run=_foreign_heartbeat),
    Fault(family="rogue", name="forged_heartbeat", trials=5, brief=0, run=_forged_heartbeat),
)
