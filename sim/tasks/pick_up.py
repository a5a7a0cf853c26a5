# SPDX-License-Identifier: Apache-2.0
"""pick_up: lift one block clear of the table and hold it."""

import numpy as np

from embodied.types import Float
from sim.tasks import Episode, SceneState, Task, register, start_of

LIFTED_M = 0.08


@register
class PickUp(Task):
    """Success: the target is held, its centre at least LIFTED_M above the table."""

    name = "pick_up"
    verb = "pick_up"

    def success(self, episode: Episode, state: SceneState) -> bool:
        target = state.of(episode, "target")
        return state.held == target.name and float(target.position_m[2]) >= LIFTED_M

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        return start_of(episode).position_m + np.array([0.0, 0.0, LIFTED_M])
