# SPDX-License-Identifier: Apache-2.0
"""The emergency stop: in time, latched, and never lost, whatever the disk and the gate do."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from functools import partial

from nodes.common import steady_s
from nodes.faults.trial import Bench, Fault, Found, since_ms
from nodes.supervise import GOOD_LIFE_S

REST_MS = 300.0
STILL_RAD = 0.01
_BACK_S = 20.0


def _plain(bench: Bench, number: int) -> Found:
    """At a random moment of a motion, or between two."""
    watch = bench.watch
    if number % 5 == 4:
        said = watch.say(bench.plain_episode(number))
        watch.wait(lambda: False, bench.random(number).uniform(0.0, 2.0))
        assert said
    else:
        bench.start_moving(number)
    found = _stop(bench)
    return _resume(bench, found)


def _folder_gone(bench: Bench, number: int) -> Found:
    bench.start_moving(number)
    shutil.rmtree(bench.graph.latch_file.parent)
    return _outlives(bench, _stop(bench))


def _disk_full(bench: Bench, number: int) -> Found:
    """Files of the gate may have no length at all."""
    bench.start_moving(number)
    pid = bench.graph.pid("gate")
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
    return _outlives(bench, _stop(bench))


def _hangs(nodes: tuple[str, ...], bench: Bench, number: int) -> Found:
    """`embodied say stop` meets a gate that hangs, and for which nobody answers.

    Every second time its supervisor hangs with it, so that the file alone can tell it when it wakes; the other
    times it wakes, or is started again, meanwhile, and may have heard of it by then.
    """
    watch, graph = bench.watch, bench.graph
    bench.start_moving(number)
    began_s, alone = steady_s(), number % 2 == 0
    pids = [graph.signal(node, signal.SIGSTOP) for node in nodes]
    parents = [graph.parent(pid) for pid in pids] if alone else []
    for pid in parents:
        os.kill(pid, signal.SIGSTOP)
    said = graph.start("embodied.cli", "say", "stop")
    if not alone:
        watch.wait(lambda: False, 1.6)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    said.wait(60.0)
    for pid in (*pids, *parents) if alone else ():
        os.kill(pid, signal.SIGCONT)
    woken_s, rest_s = steady_s(), watch.rest_s(began_s)
    found = Found(values={"said_s": round(woken_s - began_s, 2), "rest_ms": since_ms(began_s, rest_s)})
    found.checks["at_rest"] = found.values["rest_ms"] <= REST_MS
    watch.wait(lambda: watch.gate[-1].came_s > woken_s + 0.5, _BACK_S)
    found.checks["stays_still"] = watch.moved_rad(rest_s) <= STILL_RAD
    if not alone and not watch.gate_now.get("stopped"):
        # It was back in time to hear the words: they end the instruction and do not latch.
        found.note = "heard when it was back"
        return found
    return _resume(bench, found)


def _stop(bench: Bench) -> Found:
    watch = bench.watch
    began_s = steady_s()
    future = watch.begin("gate_node/stop")
    found = Found(checks={"answered": watch.wait(future.done, 3.0)})
    if future.done():
        found.values["answered_ms"] = since_ms(began_s, steady_s())
        found.note = future.result().message
    watch.wait(lambda: watch.rest_s(began_s) < float("inf"), 2.0)
    found.values["rest_ms"] = since_ms(began_s, watch.rest_s(began_s))
    found.checks["at_rest"] = found.values["rest_ms"] <= REST_MS
    return found


def _outlives(bench: Bench, found: Found) -> Found:
    """Whether the stop outlives the gate that was told."""
    watch, was = bench.watch, bench.watch.gate_now["gate"]
    bench.graph.signal("gate", signal.SIGKILL)
    found.checks["gate_is_back"] = watch.wait(lambda: watch.gate_now.get("gate") != was, _BACK_S)
    found = _resume(bench, found)
    # Killed again and again within seconds, a node is given up, as it should be.
    watch.wait(lambda: False, GOOD_LIFE_S)
    return found


def _resume(bench: Bench, found: Found) -> Found:
    """Whether it is latched, nothing moves until it is released, and everything does then."""
    watch = bench.watch
    bench.wait_ready(60.0)
    found.checks["latched"] = watch.gate_now.get("stopped") is True
    began_s = steady_s()
    # Said to the scene as it is: a reset would move the arm.
    watch.say("put the red block in the green bowl")
    watch.wait(lambda: False, 0.8)
    found.checks["nothing_moves"] = watch.moved_rad(began_s) <= STILL_RAD
    watch.call("agent_node/cancel")
    answer = watch.call("gate_node/resume")
    found.checks["released"] = answer is not None and watch.wait(lambda: watch.gate_now.get("stopped") is False, 3.0)
    return found


FAULTS = (
    Fault(family="stop", name="plain", trials=60, brief=3, run=_plain),
    Fault(family="stop", name="folder_gone", trials=10, run=_folder_gone),
    Fault(family="stop", name="disk_full", trials=10, run=_disk_full),
    Fault(family="stop", name="gate_hangs", trials=10, run=partial(_hangs, ("gate",))),
    Fault(family="stop", name="gate_and_agent_hang", trials=6, run=partial(_hangs, ("gate", "agent"))),
)
