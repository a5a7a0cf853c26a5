# SPDX-License-Identifier: Apache-2.0
"""Every, both, so many: one act, done to several things of a kind."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from embodied.language.nouns import Noun
from embodied.language.verbs import Plan
from embodied.language.vocabulary import NUMBERS
from embodied.types import ObjectState
from sim.phrases.talk import Talk, plural
from sim.tasks import Episode, SceneState, register
from sim.tasks.asked import look_for
from sim.tasks.long import Goal, Long, holds, of_kind
from sim.tasks.scenes import distance_xy

ROOM_IN_BOWL = 2
"""So many blocks lie in a bowl without falling out of it."""


@register
class AllTouch(Long):
    """Touch every block."""

    name = "all_touch"

    def goal(self, objects: Sequence[ObjectState], talk: Talk, made: Sequence[Plan] = ()) -> Goal | None:
        kind = ("block", "bowl")[talk.rng.integers(2)]
        things = of_kind(objects, kind)
        if len(things) < 2:
            return None
        key = "both_touch" if len(things) == 2 and talk.rng.random() < 0.5 else "all_touch"
        words, steps = (
            talk.fill(key, kinds=plural(talk.kind(kind))),
            [Plan(verb="touch", target=each) for each in things],
        )
        return Goal(words, steps, (look_for(kind=kind),))


@register
class TowerAll(Long):
    """Stack all the blocks: on the leftmost one the next, and so on."""

    name = "tower_all"

    def goal(self, objects: Sequence[ObjectState], talk: Talk, made: Sequence[Plan] = ()) -> Goal | None:
        things = of_kind(objects, "block")
        if not 2 <= len(things) <= 3:
            return None
        words = talk.fill("tower_all", kinds=plural(talk.kind("block")))
        return Goal(words, tower(things), (look_for(kind="block"),))

    def success(self, episode: Episode, state: SceneState) -> bool:
        """In whichever order: all over one place, each at a height of its own, released."""
        blocks = [o for o in state.objects.values() if o.kind == "block"]
        heights = np.sort([o.position_m[2] for o in blocks])
        together = all(distance_xy(o.position_m, blocks[0].position_m) <= 0.03 * len(blocks) for o in blocks)
        return state.held is None and together and bool((np.diff(heights) > 0.03).all())


@register
class TowerOf(Long):
    """A tower in a named order."""

    name = "tower_of"

    def goal(self, objects: Sequence[ObjectState], talk: Talk, made: Sequence[Plan] = ()) -> Goal | None:
        things = of_kind(objects, "block")
        if len(things) < 3:
            return None
        chosen = [things[i] for i in talk.rng.permutation(len(things))[:3]]
        named = dict(zip("abc", map(talk.noun, chosen), strict=True))
        return Goal(talk.fill("tower_of", **named), tower(chosen))


def tower(things: Sequence[Noun]) -> list[Plan]:
    """Stack each on the one before it."""
    return [Plan(verb="stack", target=upper, reference=lower) for lower, upper in pairwise(things)]


class _Into(Long):
    """Blocks into one bowl."""

    key: str

    def goal(self, objects: Sequence[ObjectState], talk: Talk, made: Sequence[Plan] = ()) -> Goal | None:
        blocks, bowls = of_kind(objects, "block"), of_kind(objects, "bowl")
        if not bowls or not self.fits(len(blocks)):
            return None
        bowl = bowls[talk.rng.integers(len(bowls))]
        words = {"kinds": plural(talk.kind("block")), "b": talk.noun(bowl), "n": NUMBERS[ROOM_IN_BOWL]}
        key = "tidy_in" if self.key == "all_in" and talk.rng.random() < 0.3 else self.key
        steps = [Plan(verb="put_in_bowl", target=block, reference=bowl) for block in blocks[:ROOM_IN_BOWL]]
        return Goal(talk.fill(key, **words), steps, (look_for(kind="block"),))

    def fits(self, blocks: int) -> bool:
        """Whether the words fit so many blocks."""
        return blocks == ROOM_IN_BOWL


@register
class AllIn(_Into):
    """Put all the blocks in a bowl."""

    name = key = "all_in"


@register
class SomeIn(_Into):
    """Put two blocks in a bowl, where there are more."""

    name = key = "some_in"

    def fits(self, blocks: int) -> bool:
        return blocks > ROOM_IN_BOWL

    def success(self, episode: Episode, state: SceneState) -> bool:
        """Any two of them, and no more."""
        bowl = episode.plan.reference
        blocks = [Noun(o.colour, o.kind) for o in episode.objects if o.kind == "block"]
        lie = [Plan(verb="put_in_bowl", target=each, reference=bowl) for each in blocks]
        return sum(holds(plan, episode, state) for plan in lie) == ROOM_IN_BOWL

    def went_wrong(self, episode: Episode, state: SceneState) -> bool:
        """Whether something other than a block was moved, or more of them than were asked for."""
        moved = state.moved(episode)
        return len(moved) > ROOM_IN_BOWL or any(state.objects[name].kind != "block" for name in moved)
