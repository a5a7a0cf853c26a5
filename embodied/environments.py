# SPDX-License-Identifier: Apache-2.0
"""How commands reach the worlds: by gymnasium id, in modules that installed packages name.

gymnasium reads no entry points of its own. So the group `embodied.environments` names modules, ours and
strangers', whose import registers their ids. A task called put_in_bowl has the id Embodied/PutInBowl-v0.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from embodied.config import ConfigError
from embodied.errors import EmbodiedError, check_name
from embodied.registry import Registry, installed_parts

NAMESPACE = "Embodied"
SPLITS = ("seen", "paraphrase", "pair")
"""Of a task's episodes: training's own words, held-out words, held-out pairs of attributes."""
MAX_STEPS: Mapping[str, int] = {"ee_delta": 600, "joint": 600, "skill": 30}
"""Of an episode, by action mode. An agent that comes home in between uses several for one command.

`gymnasium.make` knows the first alone, that of the default mode; `make_environment` gives each mode its own.
"""
MAX_PICTURE_PX = 4096
"""The largest side of a picture that is rendered."""
EVALUATION_SEED = 1_000_000
"""Seeds from here on are for evaluation only."""


def _as_suite(name: str, found: Any) -> tuple[str, ...]:
    if not isinstance(found, tuple | list) or not all(isinstance(each, str) for each in found):
        raise EmbodiedError(f"suite {name!r} is a {type(found).__name__}; it must be a tuple of task names")
    return tuple(found)


SUITES: Registry[tuple[str, ...]] = Registry("suite", group="embodied.suites", build=_as_suite)
"""Named lists of tasks; environment modules register theirs."""
DEFAULT_SUITE = "tabletop"
TASK_SPLITS: dict[str, Callable[[], tuple[str, ...]]] = {}
"""What tells the splits that a task has episodes of; a task that is not here has all."""
APPEARANCES: dict[str, Callable[[str], object]] = {}
"""What refuses an appearance (as `table:black,light:dim`) that the pictures of a task cannot have; a task that is not
here has one appearance only."""


def load_environments() -> None:
    """Import every module that registers environments."""
    for entry in installed_parts(group="embodied.environments"):
        importlib.import_module(entry.value)


def environment_id(task: str) -> str:
    """The gymnasium id of a task: put_in_bowl -> Embodied/PutInBowl-v0."""
    return f"{NAMESPACE}/{_capitals(task)}-v0"


def learning_id(task: str) -> str:
    """The id of the same task without words, for reinforcement learning: put_in_bowl -> Embodied/PutInBowlRL-v0."""
    return f"{NAMESPACE}/{_capitals(task)}RL-v0"


def _capitals(task: str) -> str:
    return "".join(part.capitalize() for part in task.split("_"))


def task_names() -> tuple[str, ...]:
    """The tasks that have an environment."""
    import gymnasium

    load_environments()
    specs = [spec for spec in gymnasium.registry.values() if spec.namespace == NAMESPACE]
    return tuple(dict.fromkeys(spec.kwargs["task"] for spec in specs if "task" in spec.kwargs))


def make_environment(task: str, **options: Any) -> Any:
    """`gymnasium.make` for a task by its short name, with the number of steps that the action mode needs.

    Raises UnknownNameError that lists the tasks.
    """
    import gymnasium

    check_task(task)
    mode = str(options.get("action_mode"))
    limit = {"max_episode_steps": MAX_STEPS[mode]} if mode in MAX_STEPS else {}
    return gymnasium.make(environment_id(task), **(limit | options))


def check_task(task: str) -> None:
    """Raises UnknownNameError unless `task` exists."""
    check_name("task", task, task_names())


def check_split(split: str) -> str:
    """`split` itself. Raises UnknownNameError unless it exists."""
    check_name("split", split, SPLITS)
    return split


def appearing(appearance: str, tasks: Sequence[str]) -> dict[str, str]:
    """The option of environments that gives each of `tasks` an appearance; no option where none is asked for.

    Raises EmbodiedError for an appearance that one of them cannot have.
    """
    if not appearance:
        return {}
    load_environments()
    for task in tasks:
        if task not in APPEARANCES:
            raise ConfigError(f"appearance={appearance}: the pictures of {task!r} look in one way only")
        APPEARANCES[task](appearance)
    return {"appearance": appearance}


def check_picture_size(size_px: Any) -> None:
    """Raises ConfigError unless `size_px` is the side of a picture that can be rendered."""
    if not isinstance(size_px, int | np.integer) or not 1 <= size_px <= MAX_PICTURE_PX:
        raise ConfigError(f"picture_size_px={size_px}: the side is a whole number of pixels, 1 to {MAX_PICTURE_PX}")


def suite_tasks(suite: str, task: Sequence[str]) -> tuple[str, ...]:
    """The tasks to run: those that were named, or all of the suite. Raises UnknownNameError."""
    load_environments()
    members = SUITES.get(suite)
    for name in task:
        check_task(name)
    return tuple(task) or members
