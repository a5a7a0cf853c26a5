# SPDX-License-Identifier: Apache-2.0
"""turn_by: one thing by so many degrees in its place."""

from dataclasses import replace

import numpy as np

from embodied.geometry import upright
from embodied.language.verbs import Plan
from embodied.language.verbs.turn_by import turn_rad
from embodied.things import THINGS
from embodied.types import Float, ObjectState
from sim.tasks import Episode, SceneState, Task, register, start_of
from sim.tasks.scenes import distance_xy, on_table

_OFF_RAD, _OFF_M = float(np.radians(10.0)), 0.025
_SQUARE_RAD = 0.05


@register
class TurnBy(Task):
    """Success: the target stands where it stood, turned by what was asked, within 10 degrees.

    Everything begins square to the table: fingers that close on it turn it square to themselves.
    """

    name = "turn_by"
    verb = "turn_by"

    def arranged(
        self, plan: Plan, objects: tuple[ObjectState, ...], rng: np.random.Generator
    ) -> tuple[ObjectState, ...]:
        return tuple(
            replace(o, orientation=upright(float(rng.uniform(-_SQUARE_RAD, _SQUARE_RAD))))
            if THINGS.get(o.kind).mass_kg > 0.0
            else o
            for o in objects
        )

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = state.of(episode, "target")
        return state.held is None and on_table(target) and self._left_rad(episode, target) <= _OFF_RAD

    def score(self, episode: Episode, state: SceneState) -> float:
        if self.success(episode, state):
            return 1.0
        left = self._left_rad(episode, state.of(episode, "target")) / abs(turn_rad(episode.plan))
        return 0.9 * float(np.clip(1.0 - left, 0.0, 1.0))

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        return start_of(episode).position_m

    def _left_rad(self, episode: Episode, target: ObjectState) -> float:
        """How far it still has to turn, either way round; infinite where it left its place."""
        start = start_of(episode)
        if distance_xy(target.position_m, start.position_m) >= _OFF_M:
            return np.inf
        left = target.yaw_rad - start.yaw_rad - turn_rad(episode.plan)
        return abs(float((left + np.pi) % (2.0 * np.pi) - np.pi))
