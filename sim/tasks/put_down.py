# SPDX-License-Identifier: Apache-2.0
"""put_down: the hand holds something; it is put on the table."""

import numpy as np

from embodied.motion.places import may_stand
from embodied.motion.skills import SkillCall
from embodied.things import thing_of
from embodied.types import ObjectState
from sim.tasks import Episode, SceneState, Task, register
from sim.tasks.scenes import on_table, with_one_of


@register
class PutDown(Task):
    """Success: nothing is held, and whatever can be moved stands on the table where things may stand."""

    name = "put_down"
    verb = "put_down"

    def before(self, objects: tuple[ObjectState, ...], rng: np.random.Generator) -> SkillCall:
        return with_one_of("pick_up", objects, rng)

    def success(self, episode: Episode, state: SceneState) -> bool:
        movable = [o for o in state.objects.values() if thing_of(o).mass_kg > 0.0]
        return state.held is None and all(may_stand(o.position_m[:2]) and on_table(o) for o in movable)
