# SPDX-License-Identifier: Apache-2.0
"""The task families. To add one: write its file, list its class here."""

from embodied.errors import UnknownNameError
from sim.tasks.base import SPLITS, Episode, SceneState, Task
from sim.tasks.pick_up import PickUp
from sim.tasks.place_relative import PlaceRelative
from sim.tasks.playground import Playground
from sim.tasks.push_to import PushTo
from sim.tasks.put_in_bowl import PutInBowl
from sim.tasks.refuse import Refuse
from sim.tasks.stack import Stack
from sim.tasks.touch import Touch

FAMILIES: tuple[type[Task], ...] = (Touch, PickUp, PutInBowl, Stack, PlaceRelative, PushTo)
"""The families that the tabletop suite evaluates."""

_SUITE: tuple[Task, ...] = tuple(family() for family in FAMILIES)
TASKS: dict[str, Task] = {task.name: task for task in (*_SUITE, Playground(), Refuse(_SUITE))}

__all__ = ["FAMILIES", "SPLITS", "TASKS", "Episode", "SceneState", "Task", "make_task"]


def make_task(name: str) -> Task:
    """The task called `name`. Raises UnknownNameError that lists the valid names."""
    try:
        return TASKS[name]
    except KeyError:
        raise UnknownNameError("task", name, TASKS) from None
