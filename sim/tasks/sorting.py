# SPDX-License-Identifier: Apache-2.0
"""Each thing to the place of its own colour."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from embodied.language.nouns import Noun
from embodied.language.verbs import Plan
from embodied.types import ObjectState
from sim.phrases.talk import Talk
from sim.tasks import register
from sim.tasks.asked import look_for
from sim.tasks.long import Goal, Long, of_kind
from sim.tasks.scenes import HELD_OUT_THINGS, place_things


class Sorting(Long):
    """A subclass says the verb and the kind of places; two or three colours have both a block and a place."""

    key: ClassVar[str]
    place_verb: ClassVar[str]
    place_kind: ClassVar[str]

    def staged(self, objects: tuple[ObjectState, ...], rng: np.random.Generator) -> tuple[ObjectState, ...] | None:
        kinds = ("block", self.place_kind)
        colours = [c for c in self.colours if not any(Noun(c, kind) in HELD_OUT_THINGS for kind in kinds)]
        chosen = [colours[i] for i in rng.permutation(len(colours))[: rng.integers(2, 4)]]
        return place_things([Noun(colour, kind) for colour in chosen for kind in kinds], rng)

    def goal(self, objects: Sequence[ObjectState], talk: Talk, made: Sequence[Plan] = ()) -> Goal | None:
        places = set(of_kind(objects, self.place_kind))
        blocks = of_kind(objects, "block")
        if len(blocks) < 2 or any(Noun(block.colour, self.place_kind) not in places for block in blocks):
            return None
        steps = [
            Plan(verb=self.place_verb, target=block, reference=Noun(block.colour, self.place_kind)) for block in blocks
        ]
        return Goal(talk.line(self.key), steps, (look_for(kind="block"),))


@register
class SortBowls(Sorting):
    """Each block into the bowl of its colour."""

    name = key = "sort_bowls"
    place_verb, place_kind = "put_in_bowl", "bowl"


@register
class SortZones(Sorting):
    """Each block onto the zone of its colour."""

    name = key = "sort_zones"
    place_verb, place_kind = "push_to", "zone"
