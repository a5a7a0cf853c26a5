# SPDX-License-Identifier: Apache-2.0
"""Nodes that are killed, that hang, and that wake again, in the middle of a motion."""

from __future__ import annotations

import signal
from functools import partial

from embodied.errors import EmbodiedError
from nodes.common import steady_s
from nodes.faults.trial import BACK_S, Bench, Fault, Found, since_ms
from nodes.faults.watch import Watch

NOTICED_MS, REST_MS, SLOW_REST_MS = 350.0, 300.0, 150.0
SLOW_M_S = 0.25
"""Speed of the hand up to which the arm has to be at rest sooner."""
BACK_LIGHT_S, BACK_AGENT_S = 4.0, 12.0
"""What each may take to be back; the medians are in the table."""
SPARE_S = 6.0
"""An agent has lived for at least so long, and its spare is ready. One that dies sooner is back as after a launch."""
HANG_S = 2.0
"""After this the supervisor kills what hangs."""
STILL_RAD = 0.01
_QUIET_S = 0.6


def kill(node: str, bench: Bench, number: int) -> Found:
    """SIGKILL."""
    return _hurt(node, bench, number, signal.SIGKILL)


def hang(node: str, bench: Bench, number: int) -> Found:
    """SIGSTOP, until the supervisor has killed it; every second time it wakes before that."""
    wakes = number % 2 == 1
    return _hurt(node, bench, number, signal.SIGSTOP, bench.random(number).uniform(0.6, 1.4) if wakes else None)


def _hurt(node: str, bench: Bench, number: int, what: signal.Signals, wake_s: float | None = None) -> Found:
    watch, graph = bench.watch, bench.graph
    if node == "agent":
        watch.wait(lambda: False, SPARE_S)
    bench.start_moving(number)
    hand_m_s = watch.hand_speed_m_s(steady_s())
    pid, gate_was, stamp_s = graph.pid(node), watch.gate_now["gate"], watch.seen[-1].stamp_s
    began_s = steady_s()
    graph.signal(node, what)
    slows_s = began_s
    if wake_s is not None:
        watch.wait(lambda: False, wake_s)
        slows_s = steady_s() if node == "sim" else began_s  # an arm that stood still goes on to its rest
        graph.signal(node, signal.SIGCONT)
    woken_s = steady_s()

    def again() -> bool:
        graph.check()
        other = wake_s is not None or graph.pid(node) not in (pid, None)
        spoke = {"gate": watch.gate, "agent": watch.agent, "sim": watch.gate}[node][-1].came_s > woken_s
        if node == "gate" and wake_s is None:
            spoke = watch.gate_now["gate"] != gate_was
        if node == "agent" and wake_s is None:
            spoke = watch.agent_now.get("state") == "ready" and spoke
        if node == "sim":  # a new one begins its time anew
            now = watch.seen[-1]
            spoke = spoke and (now.came_s > woken_s if wake_s is not None else now.stamp_s < stamp_s)
        return other and (spoke or (node == "agent" and wake_s is not None)) and watch.is_whole()

    is_back = watch.wait(again, BACK_S)
    back_s = steady_s()
    found = Found(values={"hand_m_s": round(hand_m_s, 3)})
    found.checks["back"] = is_back
    if not is_back:
        raise EmbodiedError(f"{node} does not come back: {watch.gate_now}, {watch.agent_now}")
    if wake_s is None:
        hung_s = HANG_S if what == signal.SIGSTOP else 0.0
        found.values["back_s"] = round(back_s - began_s - hung_s, 3)
        found.checks["back_in_time"] = found.values["back_s"] <= (BACK_AGENT_S if node == "agent" else BACK_LIGHT_S)
    watch.wait(lambda: False, _QUIET_S)
    noticed_s = _noticed(node, watch, began_s)
    rest_s = _rest(node, watch, slows_s, wakes=wake_s is not None)
    found.values |= {"noticed_ms": since_ms(began_s, noticed_s), "rest_ms": since_ms(slows_s, rest_s)}
    # A gate that is dead notices nothing: its last piece slows down, which began at once.
    after_ms = found.values["rest_ms"] - (found.values["noticed_ms"] if slows_s == began_s else 0.0)
    found.values["rest_after_notice_ms"] = round(after_ms, 1)
    found.checks["noticed"] = found.values["noticed_ms"] <= NOTICED_MS
    allowed_ms = SLOW_REST_MS if hand_m_s <= SLOW_M_S and slows_s == began_s else REST_MS
    found.checks["rest"] = after_ms <= allowed_ms
    fresh_s = back_s if node == "sim" else max(rest_s, began_s)
    found.values["moved_after_rad"] = round(watch.moved_rad(fresh_s), 4)
    found.checks["still"] = found.values["moved_after_rad"] <= STILL_RAD
    try:
        bench.start_moving(number + 500_000, until=0.05)
        found.checks["recovered"] = True
    except EmbodiedError as error:
        found.checks["recovered"], found.note = False, str(error)
    return found


def _noticed(node: str, watch: Watch, began_s: float) -> float:
    """When the gate says that it stopped the motion; where the gate is hurt, when the arm slows down."""
    if node != "gate":
        words = [
            word.came_s for word in watch.gate if word.came_s > began_s and word.values.get("state") != "executing"
        ]
        return words[0] if words else float("inf")
    seen = list(watch.seen)
    before = [each.speed_rad_s for each in seen if each.came_s <= began_s][-1]
    slower = [each.came_s for each in seen if each.came_s > began_s and each.speed_rad_s < 0.9 * before]
    return slower[0] if slower else float("inf")


def _rest(node: str, watch: Watch, slows_s: float, *, wakes: bool) -> float:
    """When the arm was at rest; of an arm that died with its simulator, when it had been told to be."""
    if node != "sim" or wakes:
        return watch.rest_s(slows_s)
    return watch.told_rest_s(slows_s)


NODES = ("gate", "agent", "sim")
FAULTS = (
    *(Fault(family="kill", name=node, trials=50, brief=2, run=partial(kill, node)) for node in NODES),
    *(Fault(family="hang", name=node, trials=20, brief=2, run=partial(hang, node)) for node in NODES),
)
