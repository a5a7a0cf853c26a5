# SPDX-License-Identifier: Apache-2.0
"""Tasks, one file a family: a verb, a scene, a success predicate; `sim.phrases` holds how people say it.

To add one, write a file here with a class like those beside it; nothing else changes. Outside of this
folder, decorate the class with `register`, or name it in an entry point of the group `embodied.tasks`.
"""

from sim.tasks.base import TABLETOP, TASKS, Episode, SceneState, Task, make_task, register

__all__ = ["TABLETOP", "TASKS", "Episode", "SceneState", "Task", "make_task", "register"]
