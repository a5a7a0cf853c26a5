# SPDX-License-Identifier: Apache-2.0
"""Laws of the task families: what is held out stays out, scenes fit, words and plans agree."""

import numpy as np
import pytest

from embodied.errors import UnknownNameError
from embodied.plan import Thing
from sim.tasks import FAMILIES, SPLITS, TASKS, make_task
from sim.tasks.base import CLEARANCE_M, HELD_OUT_THINGS, RADIUS_M, SceneState, pair_is_held_out
from sim.tasks.place_relative import HELD_OUT_PHRASES, PHRASES
from sim.tasks.words import HELD_OUT_NOUNS, NOUNS, bare

NAMES = [family.name for family in FAMILIES]
SEEDS = range(40)


def episodes(name: str, split: str):
    return [make_task(name).sample(np.random.default_rng(seed), split) for seed in SEEDS]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("split", SPLITS)
def test_scenes_hold_what_the_plan_names_and_nothing_overlaps(name: str, split: str):
    for episode in episodes(name, split):
        names = [o.name for o in episode.objects]
        assert len(set(names)) == len(names)
        assert {str(thing) for thing in episode.plan.things} <= set(names)
        for i, a in enumerate(episode.objects):
            for b in episode.objects[:i]:
                gap = float(np.linalg.norm(a.position_m[:2] - b.position_m[:2]))
                assert gap >= RADIUS_M[a.kind] + RADIUS_M[b.kind] + CLEARANCE_M - 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_held_out_pairs_are_in_pair_and_nowhere_else(name: str):
    assert all(pair_is_held_out(e.plan) for e in episodes(name, "pair"))
    for split in ("seen", "paraphrase"):
        for episode in episodes(name, split):
            assert not pair_is_held_out(episode.plan)
            assert HELD_OUT_THINGS.isdisjoint(Thing(o.colour, o.kind) for o in episode.objects)


@pytest.mark.parametrize("name", NAMES)
def test_held_out_words_and_templates_never_meet_training(name: str):
    task = make_task(name)
    assert set(task.phrasings()).isdisjoint(bare(template) for template in task.held_out_templates)
    held_out = {noun for nouns in HELD_OUT_NOUNS.values() for noun in nouns}
    assert held_out.isdisjoint(noun for nouns in NOUNS.values() for noun in nouns)
    for episode in episodes(name, "seen"):
        words = f" {episode.instruction.lower()} "
        assert not any(f" {noun} " in words for noun in held_out)
    for relation, phrases in HELD_OUT_PHRASES.items():
        assert set(phrases).isdisjoint(PHRASES[relation])


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_episodes(name: str):
    for a, b in zip(episodes(name, "seen"), episodes(name, "seen"), strict=True):
        assert (a.instruction, a.plan) == (b.instruction, b.plan)
        assert all(
            np.array_equal(x.position_m, y.position_m) for x, y in zip(a.objects, b.objects, strict=True)
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_swapped_command_asks_for_something_else_in_the_same_scene(name: str):
    for seed in SEEDS:
        original, swapped = make_task(name).sample_swapped(np.random.default_rng(seed))
        assert swapped.plan != original.plan
        assert swapped.objects == original.objects
        assert {str(thing) for thing in swapped.plan.things} <= {o.name for o in swapped.objects}


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("touch", "pick_up")])
def test_only_the_goal_succeeds_and_the_score_grows_towards_it(name: str):
    """Move the target by hand to its goal: unsolved at the start, solved there, the score in between."""
    task = make_task(name)
    for episode in episodes(name, "seen"):
        state = SceneState(objects={o.name: o for o in episode.objects}, held=None, touched=frozenset())
        target = state.objects[str(episode.plan.target)]
        goal = task.goal_m(episode, state).copy()
        if name == "put_in_bowl":
            goal[2] = 0.03
        assert not task.success(episode, state)
        scores = []
        for share in (0.0, 0.5, 1.0):
            position = (1 - share) * target.position_m + share * goal
            moved = {**state.objects, target.name: type(target)(**{**vars(target), "position_m": position})}
            at = SceneState(objects=moved, held=None, touched=frozenset())
            scores.append(task.score(episode, at))
        assert scores == sorted(scores)
        assert task.success(episode, at)
        held = SceneState(objects=moved, held=target.name, touched=frozenset())
        assert name == "push_to" or not task.success(episode, held)


def test_unknown_names_list_the_valid_ones():
    with pytest.raises(UnknownNameError, match="Did you mean 'stack'"):
        make_task("stak")
    with pytest.raises(UnknownNameError, match="pair, paraphrase, seen"):
        TASKS["touch"].sample(np.random.default_rng(0), "train")


@pytest.mark.parametrize("split", SPLITS)
def test_what_must_be_refused_names_something_absent_or_no_skill_at_all(split: str):
    for episode in episodes("refuse", split):
        assert episode.plan.refused
        here = {o.name for o in episode.objects}
        if episode.plan.act == "absent":
            assert str(episode.plan.target) not in here
            assert (episode.plan.target in HELD_OUT_THINGS) == (split == "pair")
        state = SceneState(objects={o.name: o for o in episode.objects}, held=None, touched=frozenset())
        assert make_task("refuse").success(episode, state)
        touched = SceneState(objects=state.objects, held=None, touched=frozenset(here))
        assert not make_task("refuse").success(episode, touched)
