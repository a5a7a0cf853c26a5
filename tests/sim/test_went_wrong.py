# SPDX-License-Identifier: Apache-2.0
"""What has gone wrong: something was moved, or is held, that nobody asked for. To fail is not yet that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.env import TabletopEnv
from sim.tasks import STILL_M, TABLETOP, VERBS_SUITE, Episode, SceneState, make_task

FAR = (0.1, 0.0)
ANSWERED = (
    *("refuse", "the_only", "one_of_two", "negation"),
    *("question", "remark", "impossible", "absent", "other_language"),
)
"""The families in which it is right, at times or always, not to move."""


def episode_of(name: str, *, where: Any = lambda episode: True) -> Episode:
    """The first episode of a task that is as asked for."""
    episodes = (make_task(name).sample(np.random.default_rng(seed)) for seed in range(300))
    return next(episode for episode in episodes if where(episode))


def after(episode: Episode, moved: dict[str, tuple[float, float]] | None = None, **state: Any) -> SceneState:
    """The scene with some things, by name, at a step (dx, dy) from where they began."""
    objects = {o.name: o for o in episode.objects}
    for name, step in (moved or {}).items():
        objects[name] = replace(objects[name], position_m=objects[name].position_m + np.array([*step, 0.0]))
    return SceneState(**{"objects": objects, "held": None, "touched": frozenset()} | state)


def strangers(episode: Episode) -> list[str]:
    """What nobody speaks of."""
    meant = {name for each in episode.meanings for name in each.meant}
    return [o.name for o in episode.objects if o.name not in meant | episode.in_hand]


def is_wrong(episode: Episode, moved: dict[str, tuple[float, float]] | None = None, **state: Any) -> bool:
    return make_task(episode.task).went_wrong(episode, after(episode, moved, **state))


def is_command(episode: Episode) -> bool:
    return not episode.plan.refused and bool(strangers(episode))


@pytest.mark.parametrize("name", [*TABLETOP, *VERBS_SUITE, "own_words", "any_one", "mixed"])
def test_only_what_is_not_asked_for_can_go_wrong(name: str) -> None:
    episode = episode_of(name, where=is_command)
    assert not is_wrong(episode)
    # However badly it is done: to miss is to fail.
    assert not is_wrong(episode, dict.fromkeys(episode.meant, FAR))
    assert not any(is_wrong(episode, held=name) for name in episode.meant)
    for other in strangers(episode):
        assert is_wrong(episode, {other: FAR}) and is_wrong(episode, held=other)
        assert not is_wrong(episode, touched=frozenset({other})), "to brush against something moves nothing"


def test_a_nudge_is_no_motion() -> None:
    episode = episode_of("stack")
    other = strangers(episode)[0]
    assert not is_wrong(episode, {other: (0.9 * STILL_M, 0.0)})
    assert is_wrong(episode, {other: (0.0, -1.1 * STILL_M)})


def test_what_may_be_meant_as_well_may_be_moved_and_nothing_else() -> None:
    episode = episode_of("any_one", where=lambda each: len(each.alternatives) > 1 and is_command(each))
    for each in episode.meanings:
        assert not is_wrong(episode, dict.fromkeys(each.meant, FAR))
    assert is_wrong(episode, {strangers(episode)[0]: FAR})


@pytest.mark.parametrize("name", ANSWERED)
def test_where_nothing_is_to_be_done_a_touch_is_wrong(name: str) -> None:
    episode = episode_of(name, where=lambda each: each.plan.refused)
    for thing in (o.name for o in episode.objects):
        for state in (after(episode, {thing: FAR}), after(episode, held=thing), after(episode, touched={thing})):
            task = make_task(name)
            assert task.went_wrong(episode, state) and not task.success(episode, state)
    assert not is_wrong(episode) and make_task(name).success(episode, after(episode))


@pytest.mark.parametrize("name", ["put_down", "open_hand", "go_home"])
def test_what_was_in_the_hand_before_the_words_may_leave_it_or_stay(name: str) -> None:
    episode = episode_of(name, where=lambda each: each.in_hand)
    [held] = episode.in_hand
    assert not is_wrong(episode, held=held) and not is_wrong(episode, {held: FAR})
    assert is_wrong(episode, {held: FAR}, held=strangers(episode)[0])


def test_what_is_in_the_hand_is_what_the_world_says() -> None:
    env = TabletopEnv("go_home", action_mode="skill", senses=())
    try:
        _, info = env.reset(seed=3)
        assert env.episode.in_hand == {env.scene_state().held}
        assert info["went_wrong"] is False
    finally:
        env.close()


def test_the_world_tells_it_by_the_words_that_are_said_now() -> None:
    env = TabletopEnv("pick_up", action_mode="skill", senses=())
    try:
        env.reset(seed=0)
        action = env.skills.encode(env.oracle())
        _, info = env.reset(seed=0, options={"swap": True})
        assert info["went_wrong"] is False
        _, _, _, _, info = env.step(action)
        assert (info["went_wrong"], info["is_success"], info["original_success"]) == (True, False, True)
    finally:
        env.close()
