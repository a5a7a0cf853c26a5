# SPDX-License-Identifier: Apache-2.0
"""open_hand: the fingers are closed, on something or on nothing; they open."""

import numpy as np

from embodied.motion.skills import SkillCall
from embodied.types import ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import with_one_of

OPEN_M = 0.07


@register
class OpenHand(Task):
    """Success: nothing is held, and the fingers are OPEN_M apart or more."""

    name = "open_hand"
    verb = "open_hand"

    def before(self, objects: tuple[ObjectState, ...], rng: np.random.Generator) -> SkillCall:
        return with_one_of("hold_out" if rng.random() < 0.5 else "touch", objects, rng)

    def success(self, episode: Episode, state: SceneState) -> bool:
        return state.held is None and state.gripper_width_m >= OPEN_M
