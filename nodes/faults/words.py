# SPDX-License-Identifier: Apache-2.0
"""Words that are none: too many, malformed, full of signs; and a thousand of them in a second."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import numpy as np

from nodes.common import steady_s
from nodes.faults.saboteur import Order
from nodes.faults.trial import Bench, Fault, Found, since_ms
from nodes.faults.watch import Watch

HANDLED_MS = 10.0
STILL_RAD = 0.01
PACE_MS = 40.0
"""Between two pieces, p99: the gate makes one every 20 ms."""
_FLOOD_S = 5.0
_FLOOD_HZ = 1000.0


def _cdr(text: bytes) -> bytes:
    """A String as it travels."""
    return b"\x00\x01\x00\x00" + (len(text) + 1).to_bytes(4, "little") + text + b"\x00"


def _control(chance: random.Random) -> bytes:
    signs = "\x07\x1b[2J\x1b]0;x\x07\u202e\u0000\u200b\ud7ff\x08"
    return _cdr("".join(chance.choice(signs) for _ in range(200)).encode())


_ANSWERED: dict[str, Callable[[random.Random], bytes]] = {
    "10MB": lambda chance: _cdr(b"pick up the red block " * 480_000),
    "long": lambda chance: _cdr(b"a" * chance.randrange(501, 200_000)),
    "control_characters": _control,
    "invalid_utf8": lambda chance: _cdr(bytes(chance.randrange(128, 256) for _ in range(chance.randrange(1, 400)))),
}


def _answered(name: str, bench: Bench, number: int) -> Found:
    """It is refused with a status."""
    watch, data = bench.watch, _ANSWERED[name](bench.random(number))
    watch.wait(lambda: watch.words.get_subscription_count() > 0, 5.0)
    before = watch.agent_now.get("id")
    began_s = steady_s()
    watch.words.publish(data)
    heard = watch.wait(lambda: watch.agent_now.get("id") != before and watch.agent_now.get("state") != "thinking", 5.0)
    first = [word.came_s for word in watch.agent if word.came_s > began_s and word.values.get("id") != before]
    watch.wait(lambda: False, 0.3)
    found = Found(note=f"{watch.agent_now.get('state')}: {watch.agent_now.get('text')}"[:200])
    if first:
        found.values["handled_ms"] = since_ms(began_s, first[0])
    found.checks["refused"] = heard and watch.agent_now.get("state") == "refused"
    found.checks["in_time"] = bool(first) and found.values["handled_ms"] <= HANDLED_MS
    found.checks["still"] = watch.moved_rad(began_s) <= STILL_RAD
    return found


def _malformed(bench: Bench, number: int) -> Found:
    """It is no message at all: it is counted, and the agent goes on."""
    watch = bench.watch

    def refused() -> int:
        return int(watch.diagnostics.get("agent_node", {}).get("refused_messages", "0"))

    watch.wait(lambda: "agent_node" in watch.diagnostics, 5.0)
    before, began_s = refused(), steady_s()
    watch.words.publish(_cdr(b"x" * 40)[: bench.random(number).randrange(5, 30)])
    found = Found(checks={"counted": watch.wait(lambda: refused() > before, 3.0)})
    found.checks["still"] = watch.moved_rad(began_s) <= STILL_RAD
    found.checks["alive"] = watch.is_whole()
    return found


def _flood(bench: Bench, number: int) -> Found:
    """Motions go on while malformed words come, and the pieces keep their pace."""
    watch = bench.watch
    bench.start_moving(number, until=0.02)
    calm = _pace_ms(watch, 0.0)
    watch.order(Order(flood_hz=_FLOOD_HZ))
    began_s = steady_s()
    watch.wait(lambda: watch.gate_now.get("state") != "executing", _FLOOD_S)
    bench.start_moving(number + 1, until=0.02)
    watch.wait(lambda: False, began_s + _FLOOD_S - steady_s())
    gaps = _pace_ms(watch, began_s)
    watch.order(Order())
    reasons = [word.values.get("reason") for word in watch.gate if word.values.get("state") == "aborted"]
    found = Found(values={"piece_p50_ms": gaps[0], "piece_p99_ms": gaps[1], "calm_p99_ms": calm[1]})
    found.checks["pace"] = gaps[1] <= PACE_MS
    found.checks["goes_on"] = not [reason for reason in reasons if "silent" in str(reason)]
    found.note = "; ".join(sorted({str(reason) for reason in reasons}))
    return found


def _pace_ms(watch: Watch, since_s: float) -> tuple[float, float]:
    """p50 and p99 of the time between pieces of a motion."""
    gaps = np.diff([told.came_s for told in list(watch.told) if told.came_s > since_s])
    gaps = gaps[gaps < 0.3]  # longer ones are between motions
    if not gaps.size:
        return float("inf"), float("inf")
    return round(1e3 * float(np.median(gaps)), 1), round(1e3 * float(np.percentile(gaps, 99)), 1)


FAULTS = (
    *(Fault(family="words", name=name, trials=20, brief=2, run=partial(_answered, name)) for name in _ANSWERED),
    Fault(family="words", name="malformed", trials=10, brief=1, run=_malformed),
    Fault(family="words", name="flood", trials=3, brief=1, run=_flood),
)
