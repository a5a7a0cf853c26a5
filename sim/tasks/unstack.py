# SPDX-License-Identifier: Apache-2.0
"""unstack: one thing off another, onto the table."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from embodied.language.verbs import Plan
from embodied.things import thing_of
from embodied.types import ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import distance_xy, has_room, put_onto, rests_on, start_and_goal

FLAT_M = 0.005
"""What is no higher than this above where it stands on the table stands in nothing."""


class TakeAway(Task):
    """The target stands on or in the reference, and something else on or in another thing of that kind.

    Success: the target stands on the table, `away_m` from the reference, and is released.
    """

    foot_m: ClassVar[float]
    """How high what stands there begins."""
    away_m: ClassVar[float]

    def arranged(
        self, plan: Plan, objects: tuple[ObjectState, ...], rng: np.random.Generator
    ) -> tuple[ObjectState, ...]:
        stand = {o.name: o for o in objects}
        left = [o for o in objects if o.name not in map(str, plan.nouns)]
        under = next(o for o in left if o.kind in self.reference_kinds)
        over = next(o for o in left if o.kind in self.target_kinds and o is not under)
        pairs = {str(plan.target): str(plan.reference), over.name: under.name}
        stand |= {name: put_onto(stand[name], stand[base], self.foot_m, rng) for name, base in pairs.items()}
        return tuple(stand[o.name] for o in objects)

    def goal_is_free(self, plan: Plan, objects: tuple[ObjectState, ...]) -> bool:
        stand = {o.name: o for o in objects}
        target, reference = (stand[str(noun)] for noun in plan.nouns)
        _, goal = start_and_goal(plan, objects)
        return rests_on(target, reference) and has_room(goal, plan, objects)

    def success(self, episode: Episode, state: SceneState) -> bool:
        target, reference = (state.of(episode, role) for role in ("target", "reference"))
        flat = float(target.position_m[2]) <= thing_of(target).origin_m + FLAT_M
        return state.held is None and flat and distance_xy(target.position_m, reference.position_m) >= self.away_m


@register
class Unstack(TakeAway):
    """Two stacks of two blocks."""

    name = "unstack"
    verb = "unstack"
    reference_kinds = ("block",)
    scene: ClassVar[Mapping[str, tuple[int, int]]] = {"block": (4, 5), "bowl": (0, 1), "zone": (0, 1)}
    foot_m = 0.04
    away_m = 0.05
