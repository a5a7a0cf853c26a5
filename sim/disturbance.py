# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in the middle of a task, on purpose: after the first motion that did something, somebody moves a
thing that is still needed, or what was just moved slips back to where it was. A policy that looks again finds out."""

from dataclasses import replace

import numpy as np

from embodied.motion.places import may_stand
from embodied.types import ObjectState
from sim.tasks import Episode, SceneState
from sim.tasks.scenes import apart, on_table

MOVED, SLIPS = "moved", "slips"
DISTURBANCES = (MOVED, SLIPS)
_NEAR_M, _FAR_M = 0.05, 0.1
_TRIES = 100


def disturbed(
    kind: str, episode: Episode, before: SceneState, now: SceneState, rng: np.random.Generator
) -> ObjectState | None:
    """Where a thing is put, after a motion that led from one state to another; None as long as nothing was done."""
    done = {o.name for o in before.objects.values() if _apart_m(o, now.objects[o.name]) > _NEAR_M}
    done |= now.touched - before.touched
    if not done:
        return None
    if kind == SLIPS:
        fell = [n for n in sorted(done) if _apart_m(before.objects[n], now.objects[n]) > _NEAR_M]
        fell = [name for name in fell if name not in (before.held, now.held)]
        return before.objects[fell[0]] if fell else None
    needed = {str(plan.target) for plan in episode.steps} - done
    free = [o for o in now.objects.values() if o.name in needed and o.name != now.held and on_table(o)]
    free = [o for o in free if _room(o, now)]
    return _elsewhere(free[rng.integers(len(free))], now, rng) if free else None


def _elsewhere(thing: ObjectState, state: SceneState, rng: np.random.Generator) -> ObjectState | None:
    """The thing some centimetres away, where there is room."""
    for _ in range(_TRIES):
        angle, far_m = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(_NEAR_M, _FAR_M)
        away = np.array([far_m * np.cos(angle), far_m * np.sin(angle), 0.0])
        moved = replace(thing, position_m=thing.position_m + away)
        if may_stand(moved.position_m[:2]) and _room(moved, state):
            return moved
    return None


def _room(thing: ObjectState, state: SceneState) -> bool:
    """Whether nothing else is where the thing is: nobody pulls away what carries another."""
    others = [o for o in state.objects.values() if o.name != thing.name]
    return all(apart(thing.position_m[:2], thing.kind, other) for other in others)


def _apart_m(one: ObjectState, other: ObjectState) -> float:
    return float(np.linalg.norm(one.position_m - other.position_m))
