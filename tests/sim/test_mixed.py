# SPDX-License-Identifier: Apache-2.0
"""Scenes of all kinds of things in two sizes: what they show, what they ask for, and what they never show."""

import numpy as np
import pytest

from embodied.environments import SPLITS, make_environment
from embodied.language.nouns import Noun
from embodied.language.verbs import VERBS
from embodied.things import THINGS, thing_of
from sim import phrases
from sim.tasks import TABLETOP, Episode, make_task
from sim.tasks.mixed import COUNT, SIZES
from sim.tasks.scenes import HELD_OUT_KINDS, HELD_OUT_THINGS, names_held_out_kind, pair_is_held_out

SEEDS = range(60)
MIXED = make_task("mixed")


def episodes(split: str) -> list[Episode]:
    return [MIXED.sample(np.random.default_rng(seed), split) for seed in SEEDS]


@pytest.mark.parametrize("split", SPLITS)
def test_all_verbs_and_kinds_and_both_sizes_come(split: str) -> None:
    found = episodes(split)
    assert {e.plan.verb for e in found} == set(MIXED.verbs) == {make_task(name).verb for name in TABLETOP}
    objects = [o for e in found for o in e.objects]
    assert {o.kind for o in objects} - HELD_OUT_KINDS == set(MIXED.target_kinds)
    assert {o.scale for o in objects} == set(SIZES)
    assert {len(e.objects) for e in found} == set(range(COUNT[0], COUNT[1] + 1))
    for episode in found:
        names = [str(Noun(o.colour, o.kind)) for o in episode.objects]
        assert len(set(names)) == len(names), "words must tell them apart"


def test_what_is_held_out_is_named_in_pair_and_shown_nowhere_else() -> None:
    for split in ("seen", "paraphrase"):
        for episode in episodes(split):
            assert not pair_is_held_out(episode.plan)
            assert HELD_OUT_THINGS.isdisjoint(Noun(o.colour, o.kind) for o in episode.objects)
            assert HELD_OUT_KINDS.isdisjoint(o.kind for o in episode.objects)
    new = episodes("pair")
    assert all(names_held_out_kind(episode.plan) and pair_is_held_out(episode.plan) for episode in new)
    assert {noun.kind for e in new for noun in e.plan.nouns} >= HELD_OUT_KINDS


@pytest.mark.parametrize("split", SPLITS)
def test_what_is_asked_for_can_be_done_with_these_sizes(split: str) -> None:
    for episode in episodes(split):
        things = [thing_of(next(o for o in episode.objects if o.name == name)) for name in episode.meant]
        verb = VERBS.get(episode.plan.verb)
        assert verb.takes(things[0])
        if len(things) == 2:
            assert verb.refers(things[1]) and verb.suits(*things)
        if verb.name == "touch" and not things[0].flat:
            assert things[0] is THINGS.get(things[0].name), "its top is where a plan expects it"


def test_a_swapped_command_can_be_done_too() -> None:
    for seed in SEEDS:
        original, swapped = MIXED.sample_swapped(np.random.default_rng(seed))
        assert swapped.plan != original.plan and swapped.objects == original.objects
        assert MIXED.goal_is_free(swapped.plan, swapped.objects)


def test_no_word_could_mean_a_thing_of_another_kind() -> None:
    kinds = (*MIXED.target_kinds, *HELD_OUT_KINDS)
    table = phrases.read(phrases.FOLDER / "things.yaml")
    said = {kind: {*table[kind]["nouns"], *table[kind]["held_out"]} - {*table[kind].get("lent", ())} for kind in kinds}
    for kind in kinds:
        assert set(table[kind].get("lent", ())) < set(table[kind]["nouns"]), "what is not said otherwise is not lent"
        assert set(table[kind]["held_out"]).isdisjoint(table[kind]["nouns"])
        for other in set(kinds) - {kind}:
            assert said[kind].isdisjoint(said[other]), (kind, other)
    rng = np.random.default_rng(0)
    words = {phrases.noun_phrase(Noun("red", "bowl"), rng, exact=True) for _ in range(500)}
    assert not [text for text in words if {"cup", "plate", "tray"} & set(text.split())]


def test_the_oracle_does_what_is_asked_in_full_scenes() -> None:
    with make_environment("mixed", action_mode="skill", senses=()) as env:
        done = 0
        for seed in range(30):
            env.reset(seed=seed)
            inner = env.unwrapped
            *_, info = env.step(inner.skills.encode(inner.oracle()))
            done += bool(info["is_success"])
    assert done >= 28
