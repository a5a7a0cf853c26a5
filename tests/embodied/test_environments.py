# SPDX-License-Identifier: Apache-2.0
"""How tasks are found as gymnasium environments."""

from __future__ import annotations

import gymnasium
import pytest

from embodied import environments
from embodied.environments import (
    DEFAULT_SUITE,
    SPLITS,
    SUITES,
    check_split,
    check_task,
    environment_id,
    load_environments,
    make_environment,
    suite_tasks,
    task_names,
)
from embodied.errors import UnknownNameError


@pytest.mark.parametrize(("task", "name"), [("touch", "Embodied/Touch-v0"), ("put_in_bowl", "Embodied/PutInBowl-v0")])
def test_a_task_has_one_id(task: str, name: str) -> None:
    assert environment_id(task) == name


def test_every_task_that_is_named_can_be_made() -> None:
    names = task_names()
    assert {"touch", "stack", "refuse", "playground"} <= set(names) and len(set(names)) == len(names)
    for task in names:
        check_task(task)
        assert environment_id(task) in gymnasium.registry
    with make_environment("touch", senses=(), action_mode="skill") as env:
        assert env.unwrapped.task.name == "touch"


def test_wrong_names_are_answered_with_the_right_ones() -> None:
    for call in (make_environment, check_task, lambda task: suite_tasks(DEFAULT_SUITE, [task])):
        with pytest.raises(UnknownNameError, match=r"unknown task 'put_in_bowel'.*'put_in_bowl'"):
            call("put_in_bowel")
    with pytest.raises(UnknownNameError, match="Did you mean 'tabletop'"):
        suite_tasks("tabeltop", [])
    with pytest.raises(UnknownNameError, match="Did you mean 'pair'"):
        check_split("pairs")
    assert [check_split(split) for split in SPLITS] == list(SPLITS)


def test_a_suite_is_what_its_module_says_or_what_is_asked_for() -> None:
    load_environments()
    assert suite_tasks(DEFAULT_SUITE, []) == SUITES.get(DEFAULT_SUITE)
    assert suite_tasks(DEFAULT_SUITE, ["refuse", "touch"]) == ("refuse", "touch")


def test_an_id_of_another_package_in_this_namespace_is_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    load_environments()
    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    monkeypatch.setattr(gymnasium, "registry", gymnasium.envs.registration.registry)
    gymnasium.register(id="Embodied/Other-v0", entry_point="nowhere:Other")
    assert "other" not in environments.task_names()
