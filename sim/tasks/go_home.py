# SPDX-License-Identifier: Apache-2.0
"""go_home: the arm holds something out; it goes home with it."""

import numpy as np

from embodied.motion.skills import SkillCall
from embodied.types import ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import with_one_of


@register
class GoHome(Task):
    """Success: the arm is at home, and holds what it held."""

    name = "go_home"
    verb = "go_home"

    def before(self, objects: tuple[ObjectState, ...], rng: np.random.Generator) -> SkillCall:
        return with_one_of("hold_out", objects, rng)

    def success(self, episode: Episode, state: SceneState) -> bool:
        return state.at_home and state.held is not None
