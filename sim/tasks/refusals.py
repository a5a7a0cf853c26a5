# SPDX-License-Identifier: Apache-2.0
"""Commands that must not move the arm: things that are not there, and things it cannot do."""

import numpy as np

from embodied.plan import Plan, Thing
from embodied.vocabulary import COLOURS
from sim.tasks.base import HELD_OUT_THINGS, Task, pair_is_held_out
from sim.tasks.words import listed, noun_phrase, pick, polite

IMPOSSIBLE = listed("""
    make me a coffee; fly to the moon; sing a song; open the door; drive to the shop; tell me a joke;
    what is the weather; clean the kitchen; wash the dishes; jump; dance with me; hello; go home;
    call my mother; play some music; cook dinner; walk to the window; turn on the light; write a letter;
    do it; do something; help; asdf qwer; how are you; who are you; solve the equation; paint the wall;
    throw the table out of the window; break everything; hit the man; good morning; close the window;
    bake a cake; what is your name; what can you do; translate this text; send an email; buy some bread;
    water the plants; feed the cat; count to ten; draw a circle; swim across the lake; run away;
    stop talking; tell me a story; turn off the radio; where are we; start the engine;
    look out of the window; sleep; wake up; shake hands; carry me upstairs; lkj poi; one two three; yes;
    no; thank you; what do you see; charge the battery; book a flight; learn french; build a house;
    mow the lawn; vacuum the floor; ring the bell; wave to the camera; never mind
""")
IMPOSSIBLE_WITH_THING = listed("""
    eat {a}; paint {a} {colour}; burn {a}; cut {a} in two; throw {a} at the wall;
    throw {a} at the person; what is {a} made of; buy {a}; turn {a} into a car; spin {a}; break {a};
    smash {a}; give {a} to my friend; sell {a}; balance {a} on your head; wash {a}; cook {a}; melt {a};
    drink from {a}; how big is {a}; how heavy is {a}; where did you buy {a}; who made {a}; fold {a};
    tear {a} apart; bury {a} in the garden; take {a} to the kitchen; send {a} by post; make {a} bigger;
    colour {a} {colour}; count {a}; describe {a}; talk to {a}; sing for {a}; write on {a}; heat {a};
    freeze {a}; saw {a} in half; nail {a} to the wall; throw {a} away; throw {a} on the floor;
    how much is {a}; is {a} pretty; dissolve {a}; peel {a}
""")
IMPOSSIBLE_WITH_FIXED = listed("""
    pick up {a}; lift {a}; grab {a}; take {a}; raise {a}; hold up {a}; grasp {a}; get {a};
    lift {a} off the table; pick {a} up; collect {a}; stack {a} on {b}; push {a} to {b}; put {a} in {b};
    move {a} to {b}; put {a} on top of {b}; place {a} on {b}; slide {a} onto {b}; drop {a} into {b};
    place {a} left of {b}; put {a} behind {b}; shove {a} to {b}; set {a} in front of {b}
""")
"""Bowls and zones stay where they are."""

WITH_UNKNOWN = listed("""
    pick up {u}; touch {u}; lift {u}; grab {u}; tap {u}; raise {u}; push {u}; take {u}; put {a} in {u};
    put {u} in {a}; stack {a} on {u}; push {u} to {a}; push {a} to {u}; place {a} left of {u};
    put {u} on {a}; put {a} on {u}; place {u} behind {a}; drop {a} into {u}; slide {u} onto {a};
    put {a} in front of {u}
""")
UNKNOWN_THINGS = listed("""
    banana; apple; mug; spoon; bottle; car; teddy bear; hammer; phone; pen; ball; book; chair; key;
    shoe; orange juice; dog; cat; knife; fork; glasses; watch; hat; lamp; screwdriver; pencil; coin;
    flower; egg; carrot; bread; sandwich; pizza; doll; guitar; clock; computer; keyboard; cable;
    scissors; rope; candle; umbrella; wallet; window; door; train; bird; leaf; sock; shirt; wheel;
    magnet; robot; camera; battery; newspaper; letter; tomato; lemon; nail; screw; tree; star; moon;
    table
""")

HELD_OUT_IMPOSSIBLE = (
    "brew some tea",
    "climb on the roof",
    "order a pizza",
    "what time is it",
    "recite a poem",
    "iron my shirt",
    "qqq zzz",
    "kick the chair over",
    "read me the news",
    "park the car",
)
"""Never in training."""


def elsewhere_plan(
    task: Task,
    present: list[Thing],
    colours: tuple[str, ...],
    rng: np.random.Generator,
    *,
    held_out: bool = False,
) -> tuple[Plan, Thing] | None:
    """A plan of `task` in which one thing, of one of `colours`, is not on the table; and that thing.

    With `held_out` the thing is one that training never shows, else never such a one. None where no
    plan can be made.
    """
    missing = [
        Thing(colour, kind)
        for kind in (*task.target_kinds, *task.reference_kinds)
        for colour in colours
        if Thing(colour, kind) not in present and (Thing(colour, kind) in HELD_OUT_THINGS) == held_out
    ]
    if not missing:
        return None
    thing = missing[rng.integers(len(missing))]
    plans = [
        plan
        for plan in task.plans_for([*present, thing])
        if thing in plan.things
        and (held_out or not pair_is_held_out(plan))
        and HELD_OUT_THINGS.isdisjoint(set(plan.things) - {thing})
    ]
    return (plans[rng.integers(len(plans))], thing) if plans else None


def absent_command(
    task: Task, present: list[Thing], rng: np.random.Generator, split: str = "seen"
) -> tuple[str, Plan] | None:
    """A command of `task` that names one thing which is not there; None where none can be made.

    `paraphrase` says it by a held-out template; `pair` names a thing that training never shows.
    """
    found = elsewhere_plan(task, present, COLOURS, rng, held_out=split == "pair")
    if found is None:
        return None
    plan, thing = found
    return task.say(plan, rng, held_out=split == "paraphrase"), Plan(act="absent", target=thing)


def impossible_command(present: list[Thing], rng: np.random.Generator) -> tuple[str, Plan]:
    """A command that the arm cannot carry out, whatever is on the table."""
    plan = Plan(act="cannot")
    named = [thing for thing in present if thing not in HELD_OUT_THINGS]
    fixed = [thing for thing in named if thing.kind != "block"]
    choice = rng.random()
    if choice < 0.35 or not named:
        return polite(pick(IMPOSSIBLE, rng), rng), plan
    a = named[rng.integers(len(named))]
    if choice < 0.55:
        words = {"a": noun_phrase(a, rng), "colour": pick(COLOURS, rng)}
        return polite(pick(IMPOSSIBLE_WITH_THING, rng).format(**words), rng), plan
    if choice < 0.75 and fixed:
        a, b = fixed[rng.integers(len(fixed))], named[rng.integers(len(named))]
        words = {"a": noun_phrase(a, rng), "b": noun_phrase(b, rng)}
        return polite(pick(IMPOSSIBLE_WITH_FIXED, rng).format(**words), rng), plan
    article = pick(("the ", "the ", f"the {pick(COLOURS, rng)} "), rng)
    unknown = article + pick(UNKNOWN_THINGS, rng)
    template = pick(WITH_UNKNOWN, rng)
    return polite(template.format(u=unknown, a=noun_phrase(a, rng)), rng), plan
