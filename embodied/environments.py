# SPDX-License-Identifier: Apache-2.0
"""How commands reach the worlds: by gymnasium id, in modules that are named here as text."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from embodied.errors import UnknownNameError

ENVIRONMENT_MODULES = ("sim",)
"""Importing these registers their environments with gymnasium."""

TASK_TABLE = "sim.tasks:TASKS"
"""The tasks, name -> Task: scenes and words, no simulator."""

SUITES: Mapping[str, tuple[str, ...]] = {
    "tabletop": ("touch", "pick_up", "put_in_bowl", "stack", "place_relative", "push_to"),
}
NAMESPACE = "Embodied"
EVALUATION_SEED = 1_000_000
"""Seeds from here on are for evaluation only."""


def tasks() -> Mapping[str, Any]:
    """Every task by name (the table that TASK_TABLE names)."""
    module_name, _, attribute = TASK_TABLE.partition(":")
    table: Mapping[str, Any] = getattr(importlib.import_module(module_name), attribute)
    return table


def environment_id(task: str) -> str:
    """The gymnasium id of a task: put_in_bowl -> Embodied/PutInBowl-v0."""
    return f"{NAMESPACE}/{''.join(part.capitalize() for part in task.split('_'))}-v0"


def make_environment(task: str, **options: Any) -> Any:
    """`gymnasium.make` for a task by its short name. Raises UnknownNameError that lists the tasks."""
    import gymnasium

    check_task(task)
    for module in ENVIRONMENT_MODULES:
        importlib.import_module(module)
    return gymnasium.make(environment_id(task), **options)


def check_task(task: str) -> None:
    """Raises UnknownNameError unless `task` exists."""
    if task not in tasks():
        raise UnknownNameError("task", task, tasks())


def suite_tasks(suite: str, task: Sequence[str]) -> tuple[str, ...]:
    """The tasks to run: those that were named, or all of the suite. Raises UnknownNameError."""
    if suite not in SUITES:
        raise UnknownNameError("suite", suite, SUITES)
    for name in task:
        check_task(name)
    return tuple(task) or SUITES[suite]
