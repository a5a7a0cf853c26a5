# SPDX-License-Identifier: Apache-2.0
"""put_down: the hand holds something; it is put on the table."""

import numpy as np

from embodied.motion.places import may_stand
from embodied.motion.skills import SkillCall
from embodied.things import THINGS
from embodied.types import ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import ON_TABLE_M, with_one_of


@register
class PutDown(Task):
    """Success: nothing is held, and whatever can be moved stands on the table where things may stand."""

    name = "put_down"
    verb = "put_down"

    def before(self, objects: tuple[ObjectState, ...], rng: np.random.Generator) -> SkillCall:
        return with_one_of("pick_up", objects, rng)

    def success(self, episode: Episode, state: SceneState) -> bool:
        movable = [(o.position_m, THINGS.get(o.kind)) for o in state.objects.values()]
        return state.held is None and all(
            may_stand(place[:2]) and place[2] <= thing.origin_m + ON_TABLE_M
            for place, thing in movable
            if thing.mass_kg > 0.0
        )
