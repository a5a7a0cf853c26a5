# SPDX-License-Identifier: Apache-2.0
"""unstack: take something off what it stands on, and put it on the table."""

import numpy as np

from embodied.language.verbs import Plan, Verb, at_height, grasp_height_m, register
from embodied.motion.places import free_place
from embodied.motion.skills import SkillCall
from embodied.things import Thing
from embodied.types import Float


@register
class Unstack(Verb):
    """What a hand can grasp, off what has a flat top."""

    name = "unstack"
    sentence = "take {target} off {reference}"
    ability = "take off something"

    def refers(self, reference: Thing) -> bool:
        return "on" in reference.holds

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        assert plan.reference is not None
        return put_aside(plan, points_m, others_m, plan.reference.thing.holds["on"], grasp_height_m(plan.target))


def put_aside(plan: Plan, points_m: Float, others_m: Float, foot_m: float, grip_m: float) -> SkillCall:
    """Take the target, whose foot is `foot_m` above the table, and put it on a free place by the reference.

    The fingers close, and open again, `grip_m` above its foot.
    """
    place = free_place(points_m[1], np.concatenate([points_m[1:], others_m]))
    return SkillCall(
        skill="pick_place",
        points_m=np.stack([at_height(points_m[0], foot_m + grip_m), at_height(place, grip_m)]),
    )
