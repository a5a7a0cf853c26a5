# SPDX-License-Identifier: Apache-2.0
"""absent: a command that names something that is not on the table."""

from collections.abc import Sequence

from embodied.language.nouns import Noun
from embodied.language.verbs import ABSENT, Plan
from embodied.language.vocabulary import COLOURS, OTHER_COLOURS
from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import TABLETOP, make_task, register
from sim.tasks.refuse import elsewhere_plan
from sim.tasks.spoken import Said, Spoken


@register
class Absent(Spoken):
    """It is answered that there is no such thing, and nothing is touched."""

    name = "absent"

    def about(self, objects: Sequence[ObjectState], talk: Talk) -> Said | None:
        task = make_task(TABLETOP[talk.rng.integers(len(TABLETOP))])
        # Half of them have colours that nothing here has.
        colours = OTHER_COLOURS if talk.rng.random() < 0.5 else COLOURS
        found = elsewhere_plan(task, [Noun(o.colour, o.kind) for o in objects], colours, talk.rng)
        if found is None:
            return None
        plan, absent = found
        return Said(words=talk.act(plan), plan=Plan(verb=ABSENT, target=absent))
