# SPDX-License-Identifier: Apache-2.0
"""Messages that get lost, or come late: the same scenes as without, and what became of them."""

from __future__ import annotations

from functools import partial

from nodes.common import steady_s
from nodes.faults.saboteur import Order
from nodes.faults.streams import IMAGE, JOINTS, PROPOSAL
from nodes.faults.trial import Bench, Fault, Found

_EPISODE_S = 90.0
_SETTLE_S = 0.3
RATE = 3.0
LOSSES = (0.0, 0.1, 0.3)
DELAYS_MS = (50, 100, 200, 300, 500, 1000)


def _lose(share: float, bench: Bench, number: int) -> Found:
    found = _run(Order(drop=share), bench, number)
    # One episode may fail for the model's own reasons: those that fail are compared with the same seeds at 0 %.
    found.checks["ended"] = found.note != "no outcome"
    return found


def _delay(topics: list[str], delay_ms: int, bench: Bench, number: int) -> Found:
    found = _run(Order(delay_s=1e-3 * delay_ms, delayed=topics), bench, number)
    # Done, or a clear refusal.
    found.checks["done_or_said"] = bool(found.values["success"]) or found.note not in ("", "no outcome")
    return found


def _run(order: Order, bench: Bench, number: int) -> Found:
    watch = bench.watch
    words = bench.episode(number)
    watch.order(order)
    watch.wait(lambda: False, max(0.3, order.delay_s + 0.2))
    began_s = steady_s()
    outcome = watch.outcome(watch.say(words), _EPISODE_S)
    took_s = steady_s() - began_s
    success = watch.score()
    if not success:
        watch.wait(lambda: False, _SETTLE_S)  # what was let go may still be falling
        success = watch.score()
    note = f"{outcome['state']}: {outcome['text']}" if outcome else "no outcome"
    return Found(values={"success": float(success), "took_s": round(took_s, 2)}, note=note)


LATE = {"sensors": [IMAGE, "camera/front/camera_info", "camera/front/pose", JOINTS], "decision": [PROPOSAL]}
FAULTS = (
    *(
        Fault(family="delay", name=f"{name}_{ms}ms", trials=3, brief=int(ms == 200), relayed=True, run=run)
        for name, topics in LATE.items()
        for ms in DELAYS_MS
        for run in [partial(_delay, topics, ms)]
    ),
    *(
        Fault(family="loss", name=f"{100 * share:.0f}%", trials=60, brief=2, relayed=True, rate=RATE, run=run)
        for share in LOSSES
        for run in [partial(_lose, share)]
    ),
)
