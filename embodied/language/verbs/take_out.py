# SPDX-License-Identifier: Apache-2.0
"""take_out: take something out of what holds it, and put it on the table."""

from embodied.language.verbs import Plan, Verb, grasp_height_m, register
from embodied.language.verbs.unstack import put_aside
from embodied.motion.skills import SkillCall
from embodied.things import Thing
from embodied.types import Float

_SUNK_M = 0.02
"""What was let go in something has sunk by about this."""
_HIGHER_M = 0.01
"""The fingers close so much higher than they do on the table: they spare the rim."""


@register
class TakeOut(Verb):
    """What a hand can grasp, out of what has an inside."""

    name = "take_out"
    sentence = "take {target} out of {reference}"
    ability = "take out of a bowl"

    def refers(self, reference: Thing) -> bool:
        return "in" in reference.holds

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        assert plan.reference is not None
        foot_m = plan.reference.thing.holds["in"] - _SUNK_M
        return put_aside(plan, points_m, others_m, foot_m, grasp_height_m(plan.target) + _HIGHER_M)
