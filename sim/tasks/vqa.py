# SPDX-License-Identifier: Apache-2.0
"""Questions about what is to be seen: is there, how many, which colour, where, in, on, nearest, and all of it."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from embodied.language.looks import ANY, THING
from embodied.language.looks.look_beside import NEAREST
from embodied.language.nouns import Noun, with_article
from embodied.language.seen import HALF_M, THIRD_M, place_in_words
from embodied.language.verbs import Plan
from embodied.language.vocabulary import COLOURS, NUMBERS
from embodied.types import ObjectState
from sim.phrases.talk import Talk, plural
from sim.tasks import register
from sim.tasks.asked import NO, YES, Asked, QuestionAndAnswer, look_for, one, several
from sim.tasks.long import foreseen
from sim.tasks.scenes import HELD_OUT_THINGS, distance_xy, entities_of, held_by, on_table, place_things
from sim.tasks.spoken import plain_plans

KINDS = ("block", "bowl", "zone")
MOST_COUNTED = 5
_CLEAR_M = 0.03
"""By so much must the nearest thing be nearer than the next, or a thing off the border between two regions."""
_ANY = ("anything", "anything", "something", "a thing that is")
_FULL_SHARE = 0.7
"""Of questions what is in or on something: there is something."""


class _InOrOn(Asked):
    """What is in or on another thing; in most scenes something is."""

    has_scenes = True
    verb_of: str
    holder: str
    keys: tuple[str, ...]

    def staged(self, objects: tuple[ObjectState, ...], rng: np.random.Generator) -> tuple[ObjectState, ...] | None:
        plans = list(plain_plans(objects, (self.verb_of,)))
        if not plans or rng.random() >= _FULL_SHARE:
            return objects
        return foreseen(objects, plans[rng.integers(len(plans))])

    def asked(self, objects: Sequence[ObjectState], talk: Talk) -> QuestionAndAnswer | None:
        holders = [o for o in alone_of_their_names(objects) if o.kind == self.holder and on_table(o)]
        if not holders:
            return None
        full = [o for o in holders if held_by(o, objects)]
        if full and talk.rng.random() < _FULL_SHARE:
            holders = full
        elif not full and talk.rng.random() < _FULL_SHARE:
            return None  # or "nothing" would be what is said in doubt
        holder = holders[talk.rng.integers(len(holders))]
        called = talk.noun(Noun(holder.colour, holder.kind))
        key = talk.key([key for key in self.keys if talk.may_say(key)])
        look = Plan(verb="look_in", target=Noun(holder.colour, holder.kind))
        return talk.fill(key, a=called, b=called, x=called), look, several(held_by(holder, objects))


@register
class AskIn(_InOrOn):
    """What is in the green bowl?"""

    name, verb_of, holder, keys = "ask_in", "put_in_bowl", "bowl", ("q_in",)


@register
class AskOn(_InOrOn):
    """What is on top of the red block?"""

    name, verb_of, holder, keys = "ask_on", "stack", "block", ("q_on", "ask_on_top")


@register
class AskThere(Asked):
    """Is there a red block?"""

    name = "ask_there"

    def asked(self, objects: Sequence[ObjectState], talk: Talk) -> QuestionAndAnswer | None:
        there = list({Noun(o.colour, o.kind): None for o in objects})
        # What is not there has the colour or the kind of something that is.
        kinds, colours = {noun.kind for noun in there}, {noun.colour for noun in there}
        absent = [
            noun
            for kind in KINDS
            for colour in COLOURS
            if (noun := Noun(colour, kind)) not in there and (kind in kinds or colour in colours)
        ]
        is_there = talk.rng.random() < 0.5
        asked = [noun for noun in (there if is_there else absent) if noun not in HELD_OUT_THINGS]
        if not asked:
            return None
        noun = asked[talk.rng.integers(len(asked))]
        look = look_for(noun.colour, noun.kind)
        return _whether(one(Noun(noun.colour, talk.kind(noun.kind))), look, is_there, talk)


@register
class AskAny(Asked):
    """Is there anything green? Is there a bowl? Of a colour or of a kind alone, half of them of what is there."""

    name = "ask_any"

    def asked(self, objects: Sequence[ObjectState], talk: Talk) -> QuestionAndAnswer | None:
        by_colour, is_there = talk.rng.random() < 0.5, talk.rng.random() < 0.5
        there = {o.colour if by_colour else o.kind for o in objects}
        asked = [word for word in (COLOURS if by_colour else KINDS) if (word in there) == is_there]
        if not asked:
            return None
        word = asked[talk.rng.integers(len(asked))]
        some = f"{_ANY[talk.rng.integers(len(_ANY))]} {word}" if by_colour else with_article(talk.kind(word))
        look = look_for(colour=word) if by_colour else look_for(kind=word)
        return _whether(some, look, is_there, talk)


class _Count(Asked):
    """Scenes with none to five of something."""

    has_scenes = True

    def staged(self, objects: tuple[ObjectState, ...], rng: np.random.Generator) -> tuple[ObjectState, ...] | None:
        count = int(rng.integers(MOST_COUNTED + 1))
        nouns = [Noun(colour, kind) for kind in KINDS for colour in COLOURS]
        nouns = [noun for noun in nouns if noun not in HELD_OUT_THINGS]
        counted, others = self.chosen(nouns, rng)
        chosen = [counted[i] for i in rng.permutation(len(counted))[:count]]
        room = max(0, 6 - len(chosen))
        chosen += [others[i] for i in rng.permutation(len(others))[: rng.integers(min(1, room), min(room, 4) + 1)]]
        return place_things(chosen, rng) if chosen else None

    @abstractmethod
    def chosen(self, nouns: Sequence[Noun], rng: np.random.Generator) -> tuple[list[Noun], list[Noun]]:
        """Those of which some are counted, and the others."""


@register
class AskCount(_Count):
    """How many blocks are there?"""

    name = "ask_count"

    def chosen(self, nouns: Sequence[Noun], rng: np.random.Generator) -> tuple[list[Noun], list[Noun]]:
        kind = ("block", "block", "bowl", "zone")[rng.integers(4)]
        return [noun for noun in nouns if noun.kind == kind], [noun for noun in nouns if noun.kind != kind]

    def asked(self, objects: Sequence[ObjectState], talk: Talk) -> QuestionAndAnswer | None:
        kind = KINDS[talk.rng.integers(len(KINDS))]
        count = sum(o.kind == kind for o in objects)
        if count > MOST_COUNTED:
            return None
        kinds = plural(talk.kind(kind))
        return talk.fill(talk.key(("q_count", "ask_count")), kinds=kinds), look_for(kind=kind), NUMBERS[count]


@register
class AskCountColour(_Count):
    """How many red things are there?"""

    name = "ask_count_colour"

    def chosen(self, nouns: Sequence[Noun], rng: np.random.Generator) -> tuple[list[Noun], list[Noun]]:
        colour = COLOURS[rng.integers(len(COLOURS))]
        return [noun for noun in nouns if noun.colour == colour], [noun for noun in nouns if noun.colour != colour]

    def asked(self, objects: Sequence[ObjectState], talk: Talk) -> QuestionAndAnswer | None:
        there = sorted({o.colour for o in objects})
        colours = there if talk.rng.random() < 0.75 else COLOURS
        colour = colours[talk.rng.integers(len(colours))]
        count = sum(o.colour == colour for o in objects)
        if count > MOST_COUNTED:
            return None
        return talk.fill("q_count_colour", colour=colour), look_for(colour=colour), NUMBERS[count]


@register
class AskColour(Asked):
    """What colour is the bowl? There is one of its kind."""

    name = "ask_colour"

    def asked(self, objects: Sequence[ObjectState], talk: Talk) -> QuestionAndAnswer | None:
        counts = Counter(o.kind for o in objects)
        alone = [o for o in objects if counts[o.kind] == 1 and o.kind in KINDS]
        if not alone:
            return None
        thing = alone[talk.rng.integers(len(alone))]
        words = talk.fill(talk.key(("q_colour", "ask_colour")), kind=talk.kind(thing.kind))
        return words, look_for(kind=thing.kind), thing.colour


@register
class AskWhere(Asked):
    """Where is the red block? In or on something, or in one of six regions of the table as the camera sees it."""

    name = "ask_where"

    def asked(self, objects: Sequence[ObjectState], talk: Talk) -> QuestionAndAnswer | None:
        options = [(o, where) for o in alone_of_their_names(objects) if (where := _where(o, objects)) is not None]
        if not options:
            return None
        thing, where = options[talk.rng.integers(len(options))]
        called = talk.noun(Noun(thing.colour, thing.kind))
        look = Plan(verb="look_where", target=Noun(thing.colour, thing.kind))
        return talk.fill(talk.key(("q_where", "ask_where")), a=called, x=called), look, where


@register
class AskNearest(Asked):
    """What is nearest to the red block?"""

    name = "ask_nearest"

    def asked(self, objects: Sequence[ObjectState], talk: Talk) -> QuestionAndAnswer | None:
        options = []
        for thing in alone_of_their_names(objects):
            others = sorted(
                (distance_xy(o.position_m, thing.position_m), i) for i, o in enumerate(objects) if o is not thing
            )
            if len(others) > 1 and others[1][0] - others[0][0] >= _CLEAR_M:
                options.append((thing, objects[others[0][1]]))
        if not options:
            return None
        thing, nearest = options[talk.rng.integers(len(options))]
        named = talk.noun(Noun(thing.colour, thing.kind))
        look = Plan(
            verb="look_beside",
            target=Noun(ANY, THING),
            relation=NEAREST,
            reference=Noun(thing.colour, thing.kind),
        )
        return talk.fill("q_nearest", a=named), look, f"the {nearest.colour} {nearest.kind}"


@register
class AskScene(Asked):
    """What do you see? Everything, from left to right."""

    name = "ask_scene"

    def asked(self, objects: Sequence[ObjectState], talk: Talk) -> QuestionAndAnswer | None:
        apart = all(abs(a.position_m[1] - b.position_m[1]) >= _CLEAR_M / 2 for a, b in combinations(objects, 2))
        if not apart or not objects or any(o.kind not in KINDS for o in objects):
            return None
        return talk.line(talk.key(("q_scene", "ask_see"))), Plan(verb="look_around"), several(objects)


def alone_of_their_names(objects: Sequence[ObjectState]) -> list[ObjectState]:
    """Those that are the only ones of their colour and kind."""
    counts = Counter((o.colour, o.kind) for o in objects)
    return [o for o in objects if counts[o.colour, o.kind] == 1]


def _whether(some: str, look: Plan, is_there: bool, talk: Talk) -> QuestionAndAnswer:
    """Whether there is "a red block", or "anything green"."""
    return talk.fill(talk.key(("q_there", "ask_exists")), some=some, a=some), look, YES if is_there else NO


def _where(thing: ObjectState, objects: Sequence[ObjectState]) -> str | None:
    """Where a thing is, in words; None where one might say otherwise."""
    every = entities_of(objects)
    seen = next(each for each, o in zip(every, objects, strict=True) if o is thing)
    if seen.on is None:
        x, y = seen.place_m
        clear = min(abs(abs(y) - THIRD_M), abs(x - HALF_M)) >= _CLEAR_M / 2
    else:
        clear = objects[seen.on] in alone_of_their_names(objects)
    return place_in_words(seen, every) if clear else None
