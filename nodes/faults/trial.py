# SPDX-License-Identifier: Apache-2.0
"""What a trial is: a fault, the bench that it is tried on, and what was found."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from embodied.environments import SUITES, load_environments
from embodied.errors import EmbodiedError
from nodes.common import steady_s
from nodes.faults.graph import Graph
from nodes.faults.saboteur import Order
from nodes.faults.watch import Watch

READY_S = 180.0
"""What a graph may take to start."""
BACK_S = 40.0
"""What a node may take to come back, before that counts as never."""
_TRIES = 4
LIMIT = 1.01
"""The share of a limit up to which it counts as kept: stamps are rounded."""
START_RAD = 0.05
"""How far from where the arm is measured a motion may begin."""


@dataclass(kw_only=True)
class Found:
    """What a trial has found: requirements that hold or not, numbers, and a few words where something is odd."""

    checks: dict[str, bool] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault of a family: `run` does the trial of a number on a bench."""

    family: str
    name: str
    trials: int
    run: Callable[[Bench, int], Found]
    relayed: bool = False
    """Whether the saboteur must stand between the nodes."""
    rate: float = 1.0
    """Simulated seconds in a second."""
    brief: int = 1
    """Trials of the short form; 0 leaves it out."""


@dataclass(frozen=True)
class Bench:
    """A running graph, and who watches it."""

    graph: Graph
    watch: Watch
    seed: int

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """Until everything is there, and has been for a moment. Raises EmbodiedError."""

        def whole() -> bool:
            self.graph.check()
            return self.watch.is_whole()

        if not self.watch.wait(whole, timeout_s):
            raise EmbodiedError(f"the graph is not ready: {self.watch.gate_now}, {self.watch.agent_now}")

    def release(self) -> None:
        """Everything as it should be: no orders, no emergency stop, nothing under way."""
        self.watch.order(Order())
        self.wait_ready(READY_S)
        if self.watch.gate_now.get("stopped"):
            self.watch.call("gate_node/resume")
        self.watch.call("agent_node/cancel")
        self.watch.wait(lambda: self.watch.gate_now.get("state") != "executing", 3.0)

    def random(self, number: int) -> random.Random:
        """The chance of the trial `number`; the same again when it is run again."""
        return random.Random(self.seed + number)

    def episode(self, number: int) -> str:
        """A new scene; returns its words."""
        load_environments()
        tasks = SUITES.get("tabletop")
        return str(self.watch.reset(tasks[number % len(tasks)], self.seed + number)["instruction"])

    def plain_episode(self, number: int) -> str:
        """A new scene with a block and a bowl; returns words that every policy understands."""
        things = self.watch.reset("put_in_bowl", self.seed + number)["objects"]
        first = {thing["kind"]: f"{thing['colour']} {thing['kind']}" for thing in things.values()}
        return f"put the {first['block']} in the {first['bowl']}"

    def start_moving(self, number: int, *, until: float | None = None) -> str:
        """Say something new and wait until the arm is well under way; returns the id of the instruction.

        `until` is the share of the motion after which it counts as that; None draws it. Raises EmbodiedError.
        """
        chance = self.random(number)
        progress = chance.uniform(0.08, 0.7) if until is None else until
        watch = self.watch
        for attempt in range(_TRIES):
            words = self.plain_episode(number + 1000 * attempt)
            watch.wait(lambda: False, 0.2)  # what tells of the scene before is on its way still
            said = watch.say(words)

            def moves() -> bool:
                now, seen = watch.gate_now, watch.seen[-1]
                state = watch.agent_now.get("state")
                return (
                    now.get("state") == "executing" and now.get("progress", 0) >= progress and seen.speed_rad_s > 0.1
                ) or state in ("refused", "failed", "stopped", "done")

            watch.wait(moves, 15.0)
            if watch.gate_now.get("state") == "executing" and watch.gate_now["progress"] >= progress:
                watch.wait(lambda: False, chance.uniform(0.0, 0.1))
                return said
        raise EmbodiedError(f"no motion began: {watch.agent_now}, {watch.gate_now}")


def judge_limits(watch: Watch) -> Found:
    """Whether all that was sent since the trial began kept the limits."""
    shares = watch.limits()
    worst = {name: round(share, 3) for name, share in shares.items()}
    broken = {name: share for name, share in worst.items() if share > LIMIT}
    return Found(
        checks={"limits": not broken, "begins_where_it_is": watch.start_off_rad <= START_RAD},
        values={f"share_{name}": share for name, share in worst.items()},
        note=f"beyond the limit: {broken}" if broken else "",
    )


def since_ms(began_s: float, then_s: float) -> float:
    """Milliseconds from one to the other."""
    return round(1e3 * (then_s - began_s), 1)


def now_s() -> float:
    """Seconds on the steady clock."""
    return steady_s()
