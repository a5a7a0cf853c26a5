# SPDX-License-Identifier: Apache-2.0
"""A camera, or a clock of a sensor, that does not tell the truth: nothing is decided on it, and the answer says why."""

from __future__ import annotations

import re
from functools import partial

from nodes.common import steady_s
from nodes.faults.saboteur import Order
from nodes.faults.streams import IMAGE, JOINTS
from nodes.faults.trial import Bench, Fault, Found

STILL_RAD = 0.01
_ANSWER_S = 25.0
_LIES: dict[str, tuple[Order, str]] = {
    "frozen": (Order(picture="frozen"), "frozen|not changed"),
    "black": (Order(picture="black"), "black|blank"),
    "torn": (Order(picture="torn"), "torn"),
    "wrong_encoding": (Order(picture="encoding"), "encoding|rgb9"),
    "wrong_size": (Order(picture="size"), "height|step|size|bytes|rows"),
    "hour_ahead": (Order(jump_s=3600, jumped=[IMAGE]), "ahead"),
    "hour_behind": (Order(jump_s=-3600, jumped=[IMAGE]), "behind"),
    "joints_hour_ahead": (Order(jump_s=3600, jumped=[JOINTS]), "ahead"),
    "joints_hour_behind": (Order(jump_s=-3600, jumped=[JOINTS]), "behind"),
}
"""Fault -> what the saboteur does, and words of which the answer must hold one."""


def _lie(name: str, bench: Bench, number: int) -> Found:
    watch = bench.watch
    order, reason = _LIES[name]
    words = bench.plain_episode(number)
    watch.wait(lambda: False, 3.0)  # that the camera has noise is learned while the arm rests
    watch.order(order)
    watch.wait(lambda: False, 1.0)
    began_s = steady_s()
    said = watch.say(words)
    answer = watch.outcome(said, _ANSWER_S)
    took_s = steady_s() - began_s
    text = str(answer.get("text", ""))
    found = Found(note=f"{answer.get('state')}: {text}", values={"answered_s": round(took_s, 2)})
    found.checks["not_acted_upon"] = watch.moved_rad(began_s) <= STILL_RAD and answer.get("state") != "done"
    found.checks["says_why"] = re.search(reason, text) is not None
    watch.order(Order())
    bench.wait_ready(20.0)
    bench.start_moving(number, until=0.05)
    found.checks["works_again"] = True
    return found


FAULTS = tuple(
    Fault(family="camera", name=name, trials=3, brief=1 if name in ("black", "torn") else 0, relayed=True, run=run)
    for name in _LIES
    for run in [partial(_lie, name)]
)
