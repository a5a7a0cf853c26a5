# SPDX-License-Identifier: Apache-2.0
"""put_in_bowl: put something into what holds things in it."""

from embodied.language.verbs import Plan, Verb, register
from embodied.language.verbs.stack import put
from embodied.motion.skills import SkillCall
from embodied.things import Thing
from embodied.types import Float


@register
class PutInBowl(Verb):
    """What a hand can grasp, into what has an inside that is wide enough."""

    name = "put_in_bowl"
    sentence = "put {target} in {reference}"
    ability = "put in a bowl"

    def refers(self, reference: Thing) -> bool:
        return "in" in reference.holds

    def suits(self, target: Thing, reference: Thing) -> bool:
        return reference.has_room_for(target)

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        assert plan.reference is not None
        return put(plan, points_m, "in", others_m, plan.reference.thing.room_m / 2)
